"""Shards are read one after the other, the next one while this one is in work, and no image twice."""

import threading
import weakref
from collections import deque
from functools import partial

import numpy as np
import pytest

from evalkit.images.sample import ImageSet, Sample
from evalkit.jobs.shard import Shard, split
from evalkit.jobs.timers import Timers
from evalkit.tasks.tokenizer.reading import Reading

PIXELS = np.zeros((4, 4, 3), np.uint8)


class Noted(ImageSet):
    """Notes which images were asked for."""

    spec = name = "noted"

    def __init__(self, n):
        self.n, self.read_ones = n, []

    def ids(self):
        return [str(i) for i in range(self.n)]

    def fingerprint(self, index):
        return str(index)

    def read(self, start, stop, *, threads=2):
        for index in range(start, min(stop, self.n)):
            self.read_ones.append(index)
            yield Sample(str(index), PIXELS, "")


class Loaded(Noted):
    """Is read by whoever works on its images."""

    def loads(self, start, stop):
        return (partial(self._load, index) for index in range(start, min(stop, self.n)))

    def _load(self, index, admit):
        self.read_ones.append(index)
        return Sample(str(index), PIXELS, threading.current_thread().name)


def taken(reading, shards, count=None):
    """Ids of each shard as an engine has them worked on."""
    left, found = deque(shards), []
    while left:
        shard = left.popleft()
        with reading(shard, lambda: left[0] if left else None) as reader:
            found.append([next(reader)[0].id for _ in range(count or shard.size)])
    return found


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("size", [1, 3, 5, 64])
@pytest.mark.parametrize("kind", [Noted, Loaded])
def test_every_shard_gets_its_own_images_once(threads, size, kind):
    images = kind(23)
    found = taken(Reading(images, lambda each, timers: each.id, threads, Timers()), split(23, size))
    assert [len(each) for each in found] == [shard.size for shard in split(23, size)]
    assert [each for part in found for each in part] == images.ids()
    assert sorted(images.read_ones) == list(range(23))


def test_an_image_is_worked_on_by_the_thread_that_read_it_and_its_reading_is_timed():
    def work(each, timers):
        return threading.current_thread().name, timers.seconds

    reading = Reading(Loaded(30), work, 2, Timers())
    with reading(Shard("a", 0, 30), lambda: None) as reader:
        found = list(reader)
    assert all(each.sha256 == worker for each, (worker, _) in found)
    assert threading.current_thread().name not in {worker for _, (worker, _) in found}
    assert all(seconds.keys() == {"read"} for _, (_, seconds) in found)


@pytest.mark.parametrize("kind", [Noted, Loaded])
def test_the_next_shard_is_begun_before_this_one_ends(kind):
    images, shards = kind(40), split(40, 20)
    reading = Reading(images, lambda each, timers: None, 2, Timers())
    with reading(shards[0], lambda: shards[1]) as reader:
        for _ in range(20):
            next(reader)
    assert 20 in images.read_ones
    reading.close()


@pytest.mark.parametrize("kind", [Noted, Loaded])
def test_shards_out_of_order_and_left_halfway_are_read_anew(kind):
    images = kind(12)
    reading = Reading(images, lambda each, timers: None, 2, Timers())
    assert taken(reading, [Shard("b", 6, 9), Shard("a", 0, 3)]) == [["6", "7", "8"], ["0", "1", "2"]]
    with pytest.raises(ZeroDivisionError), reading(Shard("c", 3, 6), lambda: None) as reader:
        len(next(reader)) / 0
    assert taken(reading, [Shard("c", 3, 6)]) == [["3", "4", "5"]]


def test_exhibits_are_not_read_ahead():
    images = Noted(9)
    reading = Reading(images, lambda each, timers: None, 2, Timers())
    taken(reading, [Shard("a", 0, 3), Shard("worst", 0, 1, {"entries": []})][:1])
    with reading(Shard("b", 3, 6), lambda: Shard("worst", 0, 9, {"entries": []})) as reader:
        assert len([next(reader) for _ in range(3)]) == 3
    assert images.read_ones == [0, 1, 2, 3, 4, 5]


class Held(np.ndarray):
    """Pixels that can be watched."""


class Large(Loaded):
    """Of so many pixels that each is decoded alone; notes how many others are held when one is."""

    def __init__(self, n):
        super().__init__(n)
        self.seen, self.others = [], []

    def _load(self, index, admit):
        admit(2**26)
        self.others.append(sum(each() is not None for each in self.seen))
        pixels = PIXELS.copy().view(Held)
        self.seen.append(weakref.ref(pixels))
        return Sample(str(index), pixels, "")


@pytest.mark.parametrize("threads", [1, 2])
def test_no_large_image_is_held_while_the_next_one_is_decoded(threads):
    images = Large(6)
    assert len(taken(Reading(images, lambda each, timers: None, threads, Timers()), split(6, 4))[0]) == 4
    assert images.others == [0] * 6
