import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from evalkit.encoders.detectors.rle import Mask, pixels_of, runs_of, runs_of_text, text_of_runs
from evalkit.errors import EvalkitError


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_a_mask_comes_back_from_its_text(pixels):
    assert np.array_equal(Mask.of(pixels).decode(), pixels)


@given(st.lists(st.integers(0, 2**40), max_size=12))
def test_runs_come_back_from_their_text(runs):
    assert runs_of_text(text_of_runs(runs)) == runs


# what pycocotools 2.0.11 writes
@pytest.mark.parametrize(
    ("pixels", "counts"), [(np.eye(3, dtype=bool), "013000"), (np.tri(5, 7, 1, dtype=bool), "0:1J1O1O1O1")]
)
def test_the_text_is_that_of_coco_tools(pixels, counts):
    assert Mask.of(pixels).counts == counts


def test_runs_go_down_the_columns_and_start_with_zeros():
    pixels = np.zeros((3, 2), bool)
    pixels[0, 0] = True
    assert runs_of(pixels) == [0, 1, 5]
    assert np.array_equal(pixels_of([0, 1, 5], 3, 2), pixels)


@pytest.mark.parametrize("counts", ["0", "0;", "\x7f", "P" * 40, "", "o", "é"])
def test_a_text_that_is_no_mask_of_the_size_is_one_sentence(counts):
    with pytest.raises(EvalkitError, match=r"COCO|runs"):
        Mask(3, 3, counts).decode()
