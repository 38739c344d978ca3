"""Rows by memory: how many requests run at once, and that their number moves no image."""

import pytest
import torch

from evalkit.generators import rows
from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator
from evalkit.generators.rows import SIZES, batch_size, fitting

CAPTIONS = ("a photo of a red apple", "a photo of two bananas", "a photo of a blue cup left of a green chair", "")


@pytest.mark.parametrize("most", [1, 3, 8, 32, 64])
def test_a_short_batch_is_filled_up_to_the_next_size_and_no_further(most):
    for count in range(1, most + 1):
        size = batch_size(count, most)
        assert count <= size <= most
        assert size in SIZES or size == most
        assert size < 2 * count


@pytest.mark.parametrize(("gigabytes", "want"), [(0, 1), (1.3, 1), (3, 8), (5, 16), (100, 256)])
def test_rows_follow_from_the_free_memory_of_the_device(monkeypatch, gigabytes, want):
    monkeypatch.setitem(rows.FREE, "cuda", lambda: int(gigabytes * 2**30))
    assert fitting(2**30 // 8, 5, 4, "cuda") == want


def test_a_processor_takes_no_more_than_it_is_worth(monkeypatch):
    monkeypatch.setitem(rows.FREE, "cpu", lambda: 2**40)
    assert fitting(1, 5, 16, "cpu") == 16
    assert fitting(None, 5, 16, "cpu") == 5
    assert fitting(1, 5, 16, "meta") == 5


def test_free_memory_of_this_machine_is_known_or_nothing_is_said():
    free = rows.FREE["cpu"]()
    assert free is None or 2**20 < free < 2**50


def test_the_number_of_rows_moves_no_image_of_the_reference_world():
    model = load_generator("world-ar", device="cpu")
    asked = [Request(str(i), prompt=CAPTIONS[i % 4], seed=i) for i in range(5)]
    found = {}
    for count in (1, 3, 8, 32):
        model.rows = count
        found[count] = model.generate(asked)
    for count in (1, 3, 8):
        assert all((a.pixels == b.pixels).all() for a, b in zip(found[count], found[32], strict=True))


def test_every_native_family_says_what_a_row_takes():
    from helpers.filled import generator
    from helpers.small.families import FAMILIES

    cases = {
        (case.cls, name)
        for family in FAMILIES.values()
        for name, case in family.items()
        if hasattr(case.cls, "row_bytes")
    }
    assert cases
    for cls, name in sorted(cases, key=str):
        case = next(each[name] for each in FAMILIES.values() if name in each and each[name].cls is cls)
        model = generator(cls, case.config, case.gains)
        assert model.row_bytes() > 1000
        assert model.rows_that_fit(torch.device("cpu")) <= model.rows_on_cpu
