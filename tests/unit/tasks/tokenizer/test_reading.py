"""Shards are read one after the other, the next one while this one is in work, and no image twice."""

from collections import deque

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
def test_every_shard_gets_its_own_images_once(threads, size):
    images = Noted(23)
    found = taken(Reading(images, lambda each: each.id, threads, Timers()), split(23, size))
    assert [len(each) for each in found] == [shard.size for shard in split(23, size)]
    assert [each for part in found for each in part] == images.ids()
    assert images.read_ones == list(range(23))


def test_the_next_shard_is_begun_before_this_one_ends():
    images, shards = Noted(40), split(40, 20)
    reading = Reading(images, lambda each: None, 2, Timers())
    with reading(shards[0], lambda: shards[1]) as reader:
        for _ in range(20):
            next(reader)
    assert 20 in images.read_ones
    reading.close()


def test_shards_out_of_order_and_left_halfway_are_read_anew():
    images = Noted(12)
    reading = Reading(images, lambda each: None, 2, Timers())
    assert taken(reading, [Shard("b", 6, 9), Shard("a", 0, 3)]) == [["6", "7", "8"], ["0", "1", "2"]]
    with pytest.raises(ZeroDivisionError), reading(Shard("c", 3, 6), lambda: None) as reader:
        len(next(reader)) / 0
    assert taken(reading, [Shard("c", 3, 6)]) == [["3", "4", "5"]]


def test_exhibits_are_not_read_ahead():
    images = Noted(9)
    reading = Reading(images, lambda each: None, 2, Timers())
    taken(reading, [Shard("a", 0, 3), Shard("worst", 0, 1, {"entries": []})][:1])
    with reading(Shard("b", 3, 6), lambda: Shard("worst", 0, 9, {"entries": []})) as reader:
        assert len([next(reader) for _ in range(3)]) == 3
    assert images.read_ones == [0, 1, 2, 3, 4, 5]
