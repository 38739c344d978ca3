"""Bounds: what is kept decides the memory, images in flight have a budget, and a MemoryError costs one image."""

import struct
import threading
import time
import tracemalloc
import zipfile
from functools import partial

import cv2
import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.images import Sample, Unreadable, geometry
from evalkit.images.arrays import ArrayRows
from evalkit.images.geometry import MAX_SIDE, METHODS, fit_square
from evalkit.images.loader import PixelBudget, PixelRoom, read_ahead, sample_from_bytes
from evalkit.jsonio import json_lines

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


def claimed(path, shape, method):
    """An npz whose arr_0 says `shape` and holds four images of 8 x 8."""
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("arr_0.npy", b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + bytes(4 * 192))
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "shape",
    ["(10**12, 8, 8, 3)", "(1, 90000, 90000, 3)", "(10**12, 0, 8, 3)", "(4, 8, 0, 3)", "(-1, 8, 8, 3)", "(5, 8, 8, 3)"],
)
def test_what_the_header_of_an_npz_claims_is_checked_before_anything_is_made_of_it(tmp_path, shape, method):
    text = shape.replace("10**12", str(10**12))
    with pytest.raises(EvalkitError):
        ArrayRows(claimed(tmp_path / "set.npz", text, method))
    assert len(ArrayRows(claimed(tmp_path / "good.npz", "(4, 8, 8, 3)", method))) == 4


def test_blank_lines_take_no_memory_and_are_counted():
    text = "\n" * 2**21 + "[1]\n" + " \r\n" * 2**19 + "[2]"
    tracemalloc.start()
    found = list(json_lines(text, "x"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [(2**21 + 1, [1]), (2**21 + 2**19 + 2, [2])]
    assert peak < 2**20


def test_threads_hold_few_pixels_at_a_time_and_a_larger_image_alone():
    room, most, held, seen, lock = PixelRoom(100), 0, 0, [], threading.Lock()

    def work(pixels):
        nonlocal held, most
        with room.one() as admit:
            admit(pixels)
            with lock:
                held += pixels
                most = max(most, held)
                seen.append((pixels, held))
            time.sleep(0.002)
            with lock:
                held -= pixels

    threads = [threading.Thread(target=work, args=(pixels,)) for pixels in [40, 60, 300, 30, 100, 7] * 4]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert len(seen) == len(threads)
    assert most == 300
    assert all(total == pixels for pixels, total in seen if pixels > 100)


def test_an_image_that_cannot_be_decoded_leaves_its_room():
    room = PixelRoom(10)

    def damaged():
        with room.one() as admit:
            admit(10)
            raise EvalkitError("damaged. Give another")

    for _ in range(3):
        with pytest.raises(EvalkitError):
            damaged()
