"""How decoded values become bytes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.generators.pixels import Rounding, to_uint8

RULES: tuple[Rounding, ...] = ("round", "truncate", "llamagen")


@pytest.mark.parametrize(
    ("rule", "levels"),
    [
        ("round", [0, 0, 127, 128, 255, 255]),
        ("truncate", [0, 0, 127, 127, 254, 255]),
        ("llamagen", [0, 0, 127, 128, 255, 255]),
    ],
)
def test_each_rule_cuts_as_its_official_script(rule: Rounding, levels: list[int]) -> None:
    values = torch.tensor([-0.2, 0.0, 127.3 / 255, 127.9 / 255, 254.6 / 255, 1.2])
    image = to_uint8(values.view(1, 1, 1, 6).expand(1, 3, 2, 6), rule)[0]
    assert image.dtype == np.uint8
    assert image.shape == (2, 6, 3)
    assert image[0, :, 0].tolist() == levels


@settings(deadline=None)
@given(st.sampled_from(RULES), st.integers(0, 255))
def test_bytes_that_are_exact_stay_as_they_are(rule: Rounding, level: int) -> None:
    value = (level + (0.25 if rule != "round" else 0.0)) / 255
    assert to_uint8(torch.full((1, 3, 1, 1), value), rule)[0].ravel().tolist() == [level] * 3


def test_images_are_resized_where_asked_for() -> None:
    flat = torch.full((2, 3, 24, 24), 0.5)
    assert [p.shape for p in to_uint8(flat, "llamagen", resize=16)] == [(16, 16, 3)] * 2
    assert (to_uint8(flat, "llamagen", resize=16)[0] == 128).all()
    assert np.array_equal(to_uint8(flat, "llamagen", resize=24)[0], to_uint8(flat, "llamagen")[0])
