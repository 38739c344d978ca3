"""What a device is given is what the CPU would give, and it is on its way before it is asked for."""

import numpy as np
import pytest
import torch

from evalkit.protocols import load_protocol
from evalkit.tasks.tokenizer.pixels import Feed
from evalkit.tasks.tokenizer.upload import MOST, Upload, to_batch

CPU = torch.device("cpu")


class Recorded:
    """A lane that notes what is done; memory is that of the host."""

    def __init__(self):
        self.done = []

    def send(self, batch):
        self.done.append(("send", batch.dtype, tuple(batch.shape)))
        return batch.clone()

    def join(self, batch):
        self.done.append(("join",))
        return batch


def feed(misfed=False):
    return Feed(load_protocol("evalkit-1"), 16, misfed, True)


def images(count, seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8))


@pytest.mark.parametrize("misfed", [False, True])
def test_a_looked_up_batch_is_the_divided_one_to_the_bit(misfed):
    every = [np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2), *images(2)]
    got = Upload(CPU, Recorded())(every, feed(misfed))
    assert torch.equal(got, to_batch(every, feed(misfed)))


def test_the_next_batch_travels_as_bytes_before_this_one_is_computed():
    lane, now, after = Recorded(), images(3), images(2, seed=1)
    upload = Upload(CPU, lane)
    upload.begin(now)
    upload.begin(after)
    assert [each[0] for each in lane.done] == ["send", "send"]
    assert {each[1] for each in lane.done} == {torch.uint8}
    assert torch.equal(upload(now, feed()), to_batch(now, feed()))
    assert torch.equal(upload(after, feed()), to_batch(after, feed()))
    assert [each[0] for each in lane.done] == ["send", "send", "join", "join"]


def test_pieces_of_a_batch_that_did_not_fit_are_sent_anew():
    lane, whole = Recorded(), images(4)
    upload = Upload(CPU, lane)
    upload.begin(whole)
    assert torch.equal(upload(whole[:2], feed()), to_batch(whole[:2], feed()))
    assert [each[0] for each in lane.done] == ["send", "send", "join"]


def test_batches_that_nobody_asks_for_are_forgotten():
    upload = Upload(CPU, Recorded())
    for seed in range(10):
        upload.begin(images(1, seed))
    assert len(upload._begun) == MOST


def test_without_a_device_nothing_is_begun():
    upload = Upload(CPU)
    upload.begin(images(2))
    assert upload.lane is None
    assert upload._begun == {}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_given_the_same_bits():
    device = torch.device("cuda")
    upload, every = Upload(device), images(8)
    upload.begin(every)
    assert torch.equal(upload(every, feed()).cpu(), to_batch(every, feed()))
