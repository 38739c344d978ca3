"""Scores of regions against PnPInversion's calculator, with its own mask and the plain one."""

import json
from pathlib import Path

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.editing.background import region_scores
from evalkit.tasks.probe.editing.regions import cut_out, only, piebench_region

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "editing_and_judges.json").read_text())


def shaded(height, width, seed):
    """The input rule of the stored outputs: shading, discs and noise."""
    rng = np.random.Generator(np.random.PCG64([20251123, seed, height, width]))
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float64)
    image = np.zeros((height, width, 3))
    for channel in range(3):
        fx, fy, phase = rng.uniform(0.5, 3.0, 3)
        image[..., channel] = 0.5 + 0.35 * np.sin(2 * np.pi * (fx * xx / width + fy * yy / height) + phase)
    for _ in range(6):
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.06, 0.22) * min(height, width)
        image[(yy - cy) ** 2 + (xx - cx) ** 2 < radius * radius] = rng.uniform(0, 1, 3)
    image += rng.normal(0, 0.03, image.shape)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def blurred(image):
    """Binomial weights 1 4 6 4 1, edges repeated, half rounded up."""
    weights = (1, 4, 6, 4, 1)
    padded = np.pad(image.astype(np.int64), ((2, 2), (2, 2), (0, 0)), mode="edge")
    rows = sum(w * padded[:, i : i + image.shape[1]] for i, w in enumerate(weights))
    both = sum(w * rows[i : i + image.shape[0]] for i, w in enumerate(weights))
    return ((both + 128) // 256).astype(np.uint8)


def case(row):
    height, width = row["hw"]
    left, top, right, bottom = row["box"]
    if row["rle_head"][0] != top * width + left:
        top, left, bottom, right = row["box"]
    source = shaded(height, width, row["image_seed"])
    edited = blurred(source)
    edited[top:bottom, left:right] = 255 - edited[top:bottom, left:right]
    region = np.zeros((height, width), bool)
    region[top:bottom, left:right] = True
    runs = [n for y in range(top, bottom) for n in (y * width + left, right - left)]
    return source, edited, region, piebench_region(runs, height, width)


@pytest.mark.parametrize("row", GOLDEN["background"], ids=lambda row: str(row["image_seed"]))
def test_scores_of_both_regions_are_the_calculator_s(row):
    source, edited, plain, bordered = case(row)
    assert (plain.sum(), bordered.sum()) == (row["raw_sum"], row["decoded_sum"])
    for region, key in ((plain, "smartedit_raw_mask"), (bordered, "piebench_decoded_mask")):
        want = row[key]
        kept, changed = region_scores(source, edited, ~region), region_scores(source, edited, region)
        near = {"rel": 1e-4}
        assert kept.psnr == pytest.approx(want["psnr_unedit"], **near)
        assert kept.ssim == pytest.approx(want["ssim_unedit"], **near)
        assert kept.mse == pytest.approx(want["mse_unedit"], **near)
        assert changed.psnr == pytest.approx(want["psnr_edit"], **near)
        assert changed.mse == pytest.approx(want["mse_edit"], **near)
    whole = region_scores(source, edited, np.ones_like(plain))
    assert (whole.psnr, whole.ssim, whole.mse) == pytest.approx(
        [row["whole"][k] for k in ("psnr", "ssim", "mse")], rel=1e-4
    )


def test_what_happens_in_the_hole_does_not_matter():
    source, edited, region, _ = case(GOLDEN["background"][0])
    other = np.where(region[..., None], np.uint8(7), edited)
    assert region_scores(source, edited, ~region) == region_scores(source, other, ~region)


def test_an_untouched_background_is_perfect():
    source, _, region, _ = case(GOLDEN["background"][0])
    edited = np.where(region[..., None], 255 - source, source)
    scores = region_scores(source, edited, ~region)
    assert (scores.psnr, scores.ssim, scores.mse) == (float("inf"), 1, 0)


def test_runs_go_along_the_rows_and_the_border_is_always_edited():
    stored = GOLDEN["rle"]
    region = piebench_region(stored["encoded"], *stored["shape"])
    assert region.sum() == stored["sum"]
    assert region[: len(stored["rows0_1"])].astype(int).tolist() == stored["rows0_1"]


@pytest.mark.parametrize("runs", [[1], [-1, 3], [4096, 1], [[1, 2]]])
def test_runs_that_are_none_are_refused(runs):
    with pytest.raises(EvalkitError):
        piebench_region(runs, 64, 64)


def test_a_region_is_cut_out_by_its_box():
    image = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    region = np.zeros((8, 9), bool)
    region[2, 3] = region[5, 7] = True
    assert np.array_equal(cut_out(image, region), image[2:6, 3:8])
    assert np.array_equal(cut_out(image, region, 0), image[2:5, 3:7])
    with pytest.raises(EvalkitError, match="empty"):
        cut_out(image, region & False)


def test_a_mask_of_another_image_is_refused():
    with pytest.raises(EvalkitError, match="does not fit"):
        only(np.zeros((4, 4, 3), np.uint8), np.ones((4, 5), bool))
