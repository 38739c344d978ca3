"""Drift over rounds: none for equal images, seen where it happens, and not inside of what an edit may change."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from evalkit.cli.probe import probe
from evalkit.errors import EvalkitError
from evalkit.tasks.probe.editing.rounds import editing_drift


def chains(folder, step, rounds=3, n=4, mask=False):
    for chain in range(n):
        home = folder / f"c{chain}"
        home.mkdir(parents=True)
        image = np.random.default_rng(chain).integers(40, 200, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(image).save(home / "0.png")
        for k in range(1, rounds + 1):
            image = step(image.copy(), k)
            Image.fromarray(image).save(home / f"{k}.png")
            if mask:
                marked = np.zeros((48, 48), np.uint8)
                marked[:16] = 255
                Image.fromarray(marked).save(home / f"mask-{k}.png")
    return folder


def warmer(image, k):
    image[..., 0] += 5
    return image


def edited(image, k):
    image[:16] = 10 * k
    return image


def test_equal_images_do_not_drift(tmp_path):
    found = editing_drift(chains(tmp_path, lambda image, k: image))
    assert [each.value for each in found.rounds["ssim"]] == pytest.approx([1, 1, 1])
    assert found.slopes["warmth"].value == found.slopes["detail"].value == 0


def test_a_cast_of_five_levels_a_round_is_its_slope(tmp_path):
    found = editing_drift(chains(tmp_path, warmer))
    assert [each.value for each in found.rounds["warmth"]] == pytest.approx([5, 10, 15])
    assert found.slopes["warmth"].value == pytest.approx(5)
    assert found.slopes["psnr"].value < 0
    assert found.chains == 4


def test_what_an_edit_may_change_is_no_drift(tmp_path):
    free = editing_drift(chains(tmp_path / "free", edited, mask=True))
    assert [each.value for each in free.rounds["psnr"]] == [100, 100, 100]
    assert editing_drift(chains(tmp_path / "all", edited)).rounds["psnr"][0].value < 30


def test_the_command_prints_slopes_and_odd_folders_are_refused(tmp_path):
    run = CliRunner().invoke(probe, ["rounds", str(chains(tmp_path / "a", warmer))])
    assert "slope +5 a round" in run.output
    chains(tmp_path / "b", warmer)
    chains(tmp_path / "b" / "c0" / "deep", warmer)
    (tmp_path / "b" / "c1" / "3.png").unlink()
    for folder, said in ((tmp_path / "b", "several lengths"), (tmp_path / "none", "no chain")):
        with pytest.raises(EvalkitError, match=said):
            editing_drift(folder)
