import threading
import time

import pytest
import torch

from evalkit.encoders.lanes import side_by_side


def test_results_come_in_order_however_long_each_takes():
    found = side_by_side(lambda x: time.sleep(x / 100) or x, [3, 0, 2, 0, 1], 3, weight=lambda x: 1, most=10)
    assert list(found) == [3, 0, 2, 0, 1]


def test_each_item_has_one_thread_of_computation_and_the_caller_keeps_its_own():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert (
            list(side_by_side(lambda x: torch.get_num_threads(), range(4), 2, weight=lambda x: 1, most=10)) == [1] * 4
        )
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_heavy_item_is_held_alone_and_few_wait():
    lock, held, most = threading.Lock(), [0], [0]

    def items():
        for load in [1, 1, 9, 1, 1, 1]:
            with lock:
                held[0] += load
                most[0] = max(most[0], held[0])
            yield load

    def look(load):
        time.sleep(0.01)
        return load

    for load in side_by_side(look, items(), 2, weight=lambda x: x, most=4):
        with lock:
            held[0] -= load
    assert most[0] <= 9 + 3  # the next item is read before room is made for it


def test_an_error_reaches_the_caller_and_ends_the_lanes():
    threads = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(lambda x: 1 // x, [1, 0, 1], 2, weight=lambda x: 1, most=4))
    assert threading.active_count() == threads
