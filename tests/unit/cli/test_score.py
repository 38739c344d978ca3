import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from evalkit.cli import group
from evalkit.metrics.statistics_file import read_statistics


@pytest.fixture
def folders(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        (tmp_path / name).mkdir()
        rng = np.random.default_rng(seed)
        for i in range(7):
            Image.fromarray(rng.integers(0, 255, (16, 16, 3)).astype(np.uint8)).save(tmp_path / name / f"{i}.png")
    return tmp_path


def called(*words):
    return CliRunner().invoke(group, ["score", *map(str, words)])


def test_the_verb_prints_values_and_writes_statistics(folders):
    said = called(
        "--images", folders / "a", "--reference", folders / "b", "--metrics", "fd_efflite0,prdc_efflite0",
        "--save-statistics", folders / "a.npz", "--out", folders / "run",
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    assert "FD (EfficientNet-lite0)" in said.output
    assert "report.html" in said.output
    assert read_statistics(folders / "a.npz").made_with["network"] == "efflite0"


def test_json_is_all_of_stdout_and_damaged_images_give_exit_code_1(folders):
    (folders / "a" / "z.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said = called("--images", folders / "a", "--metrics", "vendi_efflite0", "--out", folders / "run", "--json")
    found = json.loads(said.stdout)
    assert said.exit_code == 1
    assert [each["id"] for each in found["failed"]] == ["z.png"]
    assert found["results"][0]["metric"] == "vendi_efflite0"


def test_a_run_within_the_images_is_refused(folders):
    said = called("--images", folders / "a", "--metrics", "vendi_efflite0", "--out", folders / "a" / "run")
    assert said.exit_code != 0
    assert "lies within the data" in str(said.exception)


def test_likelihoods_and_pairs_are_printed_by_the_same_verb(folders):
    (folders / "captions.txt").write_text("a photo of a red apple\n" * 7)
    said = called(
        "--images", folders / "a", "--metrics", "nll", "--model", "world-ar", "--prompts", folders / "captions.txt",
        "--device", "cpu", "--out", folders / "nll",
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    assert "NLL per code" in said.output
    (folders / "b" / "6.png").unlink()
    said = called(
        "--images", folders / "a", "--paired", folders / "b", "--metrics", "ssim,cost", "--out", folders / "p"
    )
    assert said.exit_code == 1  # one image has no partner, which is listed
    assert "SSIM to baseline" in said.output
    assert "the baseline has no image of this name" in said.output
    assert "a is a folder of images" in said.output.replace("\n", " ")


def test_a_model_without_its_metric_is_wrong_usage(folders):
    said = called("--images", folders / "a", "--model", "world-ar")
    assert said.exit_code != 0
    assert "Give --metrics nll" in str(said.exception)
