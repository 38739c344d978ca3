"""`evalkit watermark attack`, and the contact sheet."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from evalkit.cli.watermark_attack import attack
from evalkit.errors import EvalkitError
from evalkit.watermark.attacks.sheet import CAPTION, GAP, contact_sheet
from evalkit.watermark.attacks.spelling import KINDS, grids, read_attacks


def photo(seed=0, h=24, w=32):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "marked"
    data.mkdir()
    for number in range(3):
        Image.fromarray(photo(number)).save(data / f"{number}.png")
    return data


def run(*arguments):
    return CliRunner().invoke(attack, [str(each) for each in arguments])


def test_attacks_grids_and_chains_are_written_and_summed_up(folder, tmp_path):
    out = tmp_path / "out"
    done = run(folder, "--attack", "controls", "--attack", "cut:0.5+jpeg:75", "--out", out)
    assert done.exit_code == 0, done.output
    assert "changed no image, so nothing was attacked: png, 8bit" in done.output
    assert "manifest.jsonl" in done.output
    assert len((out / "manifest.jsonl").read_text().splitlines()) == 3 * 8
    assert Image.open(out / "cut-0.5+jpeg-75" / "0.jpg").size == (16, 12)


def test_json_is_the_whole_output(folder, tmp_path):
    done = run(folder, "--attack", "plus:2", "--attack", "cut:0.5", "--out", tmp_path / "out", "--limit", 2, "--json")
    said = json.loads(done.stdout)
    assert [row["images"] for row in said["attacks"]] == [2, 2]
    assert said["attacks"][0]["psnr"] == pytest.approx(42.1, abs=0.3)
    assert said["attacks"][1]["psnr"] is None
    assert said["failed"] == []


def test_bad_images_are_listed_and_the_exit_code_is_1(folder, tmp_path):
    for number in range(22):
        (folder / f"bad{number}.png").write_bytes(b"no image")
    done = run(folder, "--attack", "plus:2", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "bad0.png: not an image" in done.output
    assert "and 2 more" in done.output
    again = run(folder, "--attack", "plus:2", "--out", tmp_path / "out", "--json")
    assert again.exit_code == 1
    assert len(json.loads(again.stdout)["failed"]) == 22


def test_what_is_missing_is_asked_for(folder, tmp_path):
    for arguments in ((), (folder,), (folder, "--attack", "png"), (folder, "--out", tmp_path / "o")):
        done = run(*arguments)
        assert done.exit_code == 2
        assert "--list shows the attacks" in done.output
    with pytest.raises(EvalkitError, match="no attack called"):
        CliRunner().invoke(attack, [str(folder), "--attack", "zap", "--out", "x"], catch_exceptions=False)


def test_the_list_names_every_attack_and_grid():
    text = run("--list").output
    assert all(KINDS.get(name).usage in text for name in KINDS)
    assert "waves (60)" in text
    said = json.loads(run("--list", "--json").output)
    assert {each["name"] for each in said["attacks"]} == set(KINDS)
    assert said["grids"] == {name: list(members) for name, members in grids().items()}


def test_a_sheet_shows_the_first_readable_image_under_every_attack(folder, tmp_path):
    (folder / "-first.png").write_bytes(b"broken")
    sheet = tmp_path / "sheet.png"
    run(folder, "--attack", "quick", "--out", tmp_path / "out", "--sheet", sheet)
    attacks = read_attacks(["quick"])
    shown = np.asarray(Image.open(sheet))
    assert np.array_equal(shown, contact_sheet(photo(0), attacks))
    rows = -(-(len(attacks) + 1) // 6)
    assert shown.shape == (rows * (192 + CAPTION + GAP) + GAP, 6 * (192 + GAP) + GAP, 3)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"broken")
    with pytest.raises(EvalkitError, match="no image can be read"):
        CliRunner().invoke(
            attack,
            [str(tmp_path / "bad"), "--attack", "png", "--out", str(tmp_path / "o2"), "--sheet", str(sheet)],
            catch_exceptions=False,
        )


def test_cells_of_a_sheet_are_the_attacked_images():
    image = photo(0, 64, 64)
    attacks = read_attacks(["flip", "scale:0.5", "cut:0.7+rotate-random:0:180+back+jpeg:75"])
    shown = contact_sheet(image, attacks, columns=2, tile=64)
    assert np.array_equal(shown[GAP : GAP + 64, GAP : GAP + 64], image)
    assert np.array_equal(shown[GAP : GAP + 64, 2 * GAP + 64 : 2 * GAP + 128], image[:, ::-1])
    second = shown[2 * GAP + 64 + CAPTION :][:64, GAP : GAP + 64]
    assert np.array_equal(second[:32, :32], attacks[1].apply(image))
    assert shown.shape[1] == 2 * 64 + 3 * GAP  # a long name is cut, not the sheet widened
