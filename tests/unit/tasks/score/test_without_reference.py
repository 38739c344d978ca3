"""Scores of images alone: NIQE, and images too small for it."""

import numpy as np
import pytest
from PIL import Image

import evalkit
from evalkit.jobs.options import RunOptions
from evalkit.metrics.niqe import NIQE, NIQE_Y, niqe


def textured(path, height, width, seed):
    pixels = np.random.default_rng(seed).integers(60, 200, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_niqe_is_the_mean_over_images_that_are_large_enough(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    images = [textured(folder / f"{i}.png", 192, 96 if i else 192, i) for i in range(3)]
    textured(folder / "small.png", 64, 64, 9)
    run = evalkit.score(folder, metrics=["niqe", "niqe_y"], options=RunOptions(out=tmp_path / "run", device="cpu"))
    rows = {row["metric"]: row for row in run.results}
    assert rows[NIQE.name]["value"] == pytest.approx(np.mean([niqe(each) for each in images]))
    assert (rows[NIQE.name]["n"], rows[NIQE_Y.name]["n"]) == (3, 3)
    assert run.samples[NIQE.name].to_pylist()[3] is None
    assert run.samples["error"].null_count == 4


def test_a_set_of_small_images_has_no_niqe_and_says_so(tmp_path):
    textured(tmp_path / "small.png", 64, 64, 9)
    run = evalkit.score(
        tmp_path, metrics=["niqe"], options=RunOptions(out=tmp_path.with_name("run-niqe"), device="cpu")
    )
    assert run.results[0]["status"] == "unavailable"
    assert run.results[0]["reason"] == "no image has this score: it takes two whole blocks of 96 px that are not flat"
