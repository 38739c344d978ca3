import threading
import time
import weakref

import numpy as np
import pytest

from evalkit.images import loader
from evalkit.images.loader import PixelBudget, batched, worked_ahead
from evalkit.images.sample import Sample, Unreadable


def samples(count, side=4):
    for number in range(count):
        image = np.full((side, side, 3), number % 256, np.uint8)
        yield Unreadable(str(number), "broken") if number == 3 else Sample(str(number), image, "")


@pytest.mark.parametrize("threads", [1, 3])
def test_work_is_done_ahead_in_order_and_unreadable_images_pass(threads):
    made = list(worked_ahead(samples(40), lambda each: (each.id, threading.current_thread().name), threads))
    assert [each.id for each, _ in made] == [id for _, (id, _) in made] == [str(number) for number in range(40)]
    assert (threading.main_thread().name in {name for _, (_, name) in made}) == (threads == 1)


def test_few_images_and_few_pixels_wait(monkeypatch):
    drawn = []

    def counted(count, side):
        for each in samples(count, side):
            drawn.append(each.id)
            yield each

    first = iter(worked_ahead(counted(100, 4), lambda each: each.id, 2))
    next(first)
    assert len(drawn) == loader.AHEAD * 2
    drawn.clear()
    monkeypatch.setattr(loader, "PIXELS", 100)
    second = iter(worked_ahead(counted(100, 8), lambda each: each.id, 2))
    next(second)
    assert len(drawn) == 2


def test_what_the_work_raises_is_raised_at_its_place():
    def work(each):
        return 1 / (5 - int(each.id))

    found = iter(worked_ahead(samples(10), work, 2))
    assert len([next(found) for _ in range(5)]) == 5
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_lists_of_neighbours_are_alike_bounded_and_emptied_before_the_next_is_read():
    sides, kept = [4, 4, 4, 9, 9, 2], []

    def samples():
        for i, side in enumerate(sides):
            assert sum(len(each) for each in kept) <= 1  # what was given before is let go; one may wait
            yield Sample(str(i), np.zeros((side, side, 3), np.uint8), "")

    found = []
    for batch in batched(samples(), 2, pixels=81, alike=lambda each: each.image.shape):
        kept.append(batch)
        found.append([each.id for each in batch])
    assert found == [["0", "1"], ["2"], ["3"], ["4"], ["5"]]


@pytest.mark.parametrize("threads", [1, 2])
def test_no_large_image_is_held_while_the_next_one_is_decoded(threads, monkeypatch):
    monkeypatch.setattr(loader, "PIXELS", 10)
    seen = []

    def large():
        for number in range(4):
            assert [each for each in seen if each() is not None] == []
            image = np.zeros((8, 8, 3), np.uint8).view(Held)
            seen.append(weakref.ref(image))
            yield Sample(str(number), image, "")
            del image

    found = worked_ahead(large(), lambda each: each.id, threads)
    ids = []
    for pair in found:
        ids.append(pair[1])
        del pair
    assert ids == ["0", "1", "2", "3"]


class Held(np.ndarray):
    """Pixels that can be watched."""


def test_no_image_is_admitted_past_a_large_one_that_waits():
    budget, admitted = PixelBudget(100), []

    def decode(number, pixels):
        budget.admit(number, pixels)
        admitted.append(number)

    budget.admit(0, 10)
    threads = [threading.Thread(target=decode, args=(1, 1000), daemon=True)]
    threads[0].start()
    while not budget._waiting:
        time.sleep(0.001)
    threads.append(threading.Thread(target=decode, args=(2, 1), daemon=True))
    threads[1].start()
    while len(budget._waiting) < 2:
        time.sleep(0.001)
    assert admitted == []
    budget.taken(0)
    threads[0].join(60)
    assert admitted == [1]  # alone: the small one behind it waits until it is used
    budget.taken(1)
    threads[1].join(60)
    assert admitted == [1, 2]
