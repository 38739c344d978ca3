"""Bounds: what is kept decides the memory, images in flight have a budget, and a MemoryError costs one image."""

import threading
import time
import tracemalloc
from functools import partial

import cv2
import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.images import Sample, Unreadable, geometry
from evalkit.images.geometry import MAX_SIDE, METHODS, fit_square
from evalkit.images.loader import PixelBudget, read_ahead, sample_from_bytes

RESIZING = sorted(set(METHODS) - {"crop"})


@pytest.mark.parametrize("method", RESIZING)
@pytest.mark.parametrize("shape", [(1, 65500), (65500, 1), (3, 20000)])
def test_a_very_long_image_takes_the_memory_of_what_is_kept(method, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    tracemalloc.start()
    fitted = fit_square(image, 256, method)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fitted.shape == (256, 256, 3)
    assert peak < 2**25


@pytest.mark.parametrize("method", RESIZING)
@pytest.mark.parametrize("shape", [(60, 900), (700, 50), (333, 120)])
def test_only_the_kept_part_resized_is_the_whole_resized_and_cropped(method, shape, monkeypatch):
    noise = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(noise, (0, 0), 2.0)  # Pillow rounds between its passes, whose order may differ
    whole = fit_square(image, 48, method).astype(int)
    monkeypatch.setattr(geometry, "WHOLE", 0)
    part = fit_square(image, 48, method).astype(int)
    assert np.abs(whole - part).max() <= 2
    assert (whole != part).mean() < 0.2


def test_a_side_beyond_the_largest_is_refused():
    with pytest.raises(EvalkitError, match=f"at most {MAX_SIDE} px"):
        fit_square(np.zeros((4, 4, 3), np.uint8), 100_000, "short-bicubic")


def test_decoded_pixels_in_flight_stay_within_the_budget(monkeypatch):
    monkeypatch.setattr("evalkit.images.loader.PixelBudget", partial(PixelBudget, 100))
    held, most, lock = [0], [0], threading.Lock()

    def load(index, admit):
        admit(40)
        with lock:
            held[0] += 40
            most[0] = max(most[0], held[0])
        return Unreadable(str(index), "x")

    seen = []
    for each in read_ahead((partial(load, i) for i in range(60)), threads=4):
        time.sleep(0.001)
        with lock:
            held[0] -= 40
        seen.append(each.id)
    assert seen == [str(i) for i in range(60)]
    assert most[0] <= 140  # the budget, and the image that is asked for next


def test_an_image_above_the_budget_is_decoded_alone_and_nothing_hangs():
    budget = PixelBudget(10)
    budget.admit(0, 10**9)
    waited = threading.Thread(target=budget.admit, args=(1, 5))
    waited.start()
    waited.join(0.05)
    assert waited.is_alive()
    budget.taken(0)
    waited.join(5)
    assert not waited.is_alive()


def test_a_reader_that_is_closed_early_ends_its_threads():
    def load(index, admit):
        admit(2**30)
        return Unreadable(str(index), "x")

    reader = read_ahead((partial(load, i) for i in range(50)), threads=4)
    next(reader)
    reader.close()
    assert not [each for each in threading.enumerate() if each.name.startswith("evalkit-read")]


def test_a_memory_error_costs_one_image():
    def full():
        raise MemoryError

    found = sample_from_bytes("x", full)
    assert (found.id, found.reason) == ("x", "too large for this machine's memory")


def test_compressed_arrays_are_read_row_by_row(tmp_path):
    from evalkit.images import open_images

    pixels = np.random.default_rng(0).integers(0, 4, (40, 64, 64, 3), dtype=np.uint8)
    np.savez_compressed(tmp_path / "set.npz", np.concatenate([pixels] * 20))  # 10 MB
    tracemalloc.start()
    images = open_images(tmp_path / "set.npz")
    count = sum(isinstance(each, Sample) for each in images.read(0, len(images)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 800
    assert peak < 2**20
    assert np.array_equal(next(images.read(5, 6)).image, pixels[5])
