"""Views that undo geometry, what they cover, and how a search is spelled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.watermark.detection.grids import counted_cells, maps_of
from evalkit.watermark.detection.search import read_search
from evalkit.watermark.detection.views import View

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_the_image_itself_is_untouched_and_all_of_it_is_known():
    seen, known = View().look(PIXELS)
    assert np.array_equal(seen, PIXELS)
    assert known.all()


def test_a_mirror_and_a_shift_are_undone_exactly():
    assert np.array_equal(View(flip=True).look(PIXELS[:, ::-1])[0], PIXELS)
    seen, known = View(dx=3, dy=5).look(np.roll(PIXELS, (5, 3), (0, 1)))
    assert np.array_equal(seen[:59, :61], PIXELS[:59, :61])
    assert known[:59, :61].all()
    assert not known[59:].any()
    assert not known[:, 61:].any()


@pytest.mark.parametrize("view", [View(scale=0.5), View(angle=15), View(scale=0.8, angle=-10, dx=4, flip=True)])
def test_filled_pixels_are_black_and_not_counted(view):
    seen, known = view.look(np.full_like(PIXELS, 255))
    assert seen.shape == PIXELS.shape
    assert (seen[~known] < 255).all()
    assert known.any()
    cells = counted_cells(known, 64, (8, 8), ())
    assert cells.sum() < 64


def test_enlarged_images_are_cut_and_wholly_known():
    assert View(scale=1.25).look(PIXELS)[1].all()


@given(
    st.lists(
        st.sampled_from(["flip", "offsets:4", "scales:0.8+0.9", "angles:-3+3"]), min_size=1, max_size=4, unique=True
    )
)
def test_the_number_of_views_is_the_sum_of_the_parts(parts):
    counts = {"flip": 1, "offsets:4": 15, "scales:0.8+0.9": 2, "angles:-3+3": 2}
    views = read_search(",".join(parts), 16)
    assert len(views) == sum(counts[part] for part in parts)
    assert len({view.name for view in views}) == len(views)
    assert View() not in views


@pytest.mark.parametrize("wrong", ["whirl", "offsets:0", "offsets:x", "flip:1", "scales:a", "angles:1+"])
def test_unknown_searches_say_what_there_is(wrong):
    with pytest.raises(EvalkitError, match="give none, or some of flip"):
        read_search(wrong, 16)


def test_none_searches_nothing_and_defaults_fit_the_cell():
    assert read_search("none", 16) == ()
    assert len(read_search("offsets", 8)) == 63
    assert len(read_search("scales,angles", 8)) == 14


def test_maps_of_one_scale_several_scales_and_none():
    assert maps_of(64, (8, 8), ()) == [(8, 8)]
    assert maps_of(30, (4, 4), (1, 4, 9, 16)) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert maps_of(64, None, ()) == []
    assert maps_of(63, (8, 8), ()) == []


def test_a_coarse_cell_is_counted_where_all_of_it_is_known():
    known = np.ones((64, 64), bool)
    known[:, 60:] = False
    cells = counted_cells(known, 5, (2, 2), (1, 4))
    assert cells.tolist() == [False, True, False, True, False]
    assert counted_cells(known, 7, None, ()) is None
    assert counted_cells(np.ones((64, 64), bool), 9, (3, 3), ()).all()  # sides that the grid does not divide


def test_a_view_of_a_finer_image_has_the_size_of_the_image_itself():
    fine = PIXELS.repeat(2, 0).repeat(2, 1)
    seen, known = View(scale=0.5, dx=-4).look(fine, 2)
    assert seen.shape == (64, 64, 3)
    assert np.flatnonzero(known.any(0)).tolist() == list(range(20, 52))
    assert known.sum() == 32 * 32


def test_brightness_and_contrast_are_undone_about_the_mean_grey():
    mean = PIXELS.mean()
    darker = np.clip(PIXELS * 0.5, 0, 255).astype(np.uint8)
    assert np.abs(View(gain=2).look(darker)[0].astype(int) - PIXELS).max() <= 1
    flatter = np.rint((PIXELS - mean) * 0.5 + mean).astype(np.uint8)
    assert np.abs(View(contrast=2).look(flatter)[0].astype(int) - PIXELS).max() <= 2
    assert View(gain=2, contrast=0.5).name == "gain 2 contrast 0.5"
