"""Messages from the command line to the rows: embedded by pixels, read back by another process's plain data, attributed."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from helpers.keys import known_key
from PIL import Image

from evalkit.cli import group
from evalkit.jobs.checks import How
from evalkit.jobs.task import TASKS
from evalkit.runs.store import read_run
from evalkit.watermark.methods import read_mark


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """(folder, key file): four images marked with model 3 and user 77."""
    folder = tmp_path_factory.mktemp("messages")
    (folder / "plain").mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"plain/{number}.png")
    known_key(folder / "my.key")
    found = called(
        "embed", folder / "plain", "--key", folder / "my.key", "--tokenizer", "world-vq", "--method", "payload",
        "--layout", "model:4,user:8", "--carrier", "places", "--message", "user=77,model=3", "--by", "pixels", "--psnr", 32,
        "--out", folder / "marked",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    return folder


def called(*arguments):
    return CliRunner().invoke(group, ["watermark", *map(str, arguments)])


def detected(folder, images, out, *more, decoys=False):
    found = called(
        "detect", images, "--key", folder / "my.key", "--mark", folder / "marked/mark.json", "--no-cache", "--out", out,
        *more, *(() if decoys else ("--decoys", 0)),
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    return read_run(out).samples.to_pylist(), found.output


def test_mark_json_reads_every_message_and_says_the_one_that_was_embedded(marked):
    file = read_mark(marked / "marked")
    assert file.spec.message is None
    assert file.embedding["message"] == "model=3,user=77"


def test_a_message_is_read_where_its_presence_is_established(marked, tmp_path):
    rows, screen = detected(marked, marked / "marked/images", tmp_path / "found")
    read = [row["message"] for row in rows if row["verdict"] == "detected"]
    assert len(read) >= 3
    assert read.count("model=3,user=77") >= len(read) - 1
    assert "model=3,user=77 (probability" in screen
    for row in rows:
        assert (row["message"] is None) == (row["verdict"] != "detected")
    none, _ = detected(marked, marked / "plain", tmp_path / "none")
    assert {row["message"] for row in none if row["verdict"] != "detected"} == {None}


def test_decoy_keys_decide_whether_a_message_is_there_where_nobody_says_otherwise(marked, tmp_path):
    for number, path in enumerate(sorted((marked / "plain").iterdir())[:2]):
        (tmp_path / "both").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / f"both/plain-{number}.png")
        shutil.copy(marked / "marked/images" / path.name, tmp_path / f"both/marked-{number}.png")
    rows, _ = detected(marked, tmp_path / "both", tmp_path / "run", decoys=True)
    run = read_run(tmp_path / "run")
    assert run.record["detection"]["rule"]["decide"] == "decoys"
    assert run.record["detection"]["decoys"]["keys"] == 99
    assert [row["verdict"] for row in rows] == ["detected"] * 2 + ["not detected"] * 2
    assert [row["decoys_above"] for row in rows][:2] == [0, 0]
    assert all(row["message"] == "model=3,user=77" for row in rows[:2])
    assert TASKS.get("watermark-detect").checks().recompute(run, How()).failures == ()


def test_candidates_are_told_from_each_other_and_corrected_for_their_number(marked, tmp_path):
    rows, _ = detected(marked, marked / "marked/images", tmp_path / "a", "--among", "model=3,user=0-255")
    few, screen = detected(marked, marked / "marked/images", tmp_path / "b", "--among", "model=3,user=77")
    innocent, _ = detected(marked, marked / "marked/images", tmp_path / "c", "--among", "model=4,user=0-255")
    assert sum(row["message"] == "model=3,user=77" for row in few) == 4
    assert sum(row["message"] == "model=3,user=77" for row in rows) >= 3
    named = sum(row["log10_p_message"] + np.log10(4) <= -3 for row in few)
    assert f"{named} image" in screen
    assert "named among model=3,user=77: any wrong one with chance 0.001 at most" in screen
    assert "model=3,user=77 (probability" in (tmp_path / "b/report.html").read_text()
    for row, one in zip(rows, few, strict=True):
        if row["message"] == one["message"]:
            assert row["log10_p_message"] == pytest.approx(min(one["log10_p_message"] + np.log10(256), 0), abs=1e-6)
    assert min(row["log10_p_message"] for row in innocent) >= -np.log10(4095 / 256) - 1e-9


def test_questions_about_messages_that_a_mark_does_not_have_are_refused(marked, tmp_path):
    for more, said in ((["--among", "who=1"], "no field who"), (["--among", "model=3"], "needs user")):
        found = called("detect", marked / "plain", "--key", marked / "my.key", "--mark", marked / "marked", *more)
        assert said in f"{found.output}{found.exception}"
    found = called("detect", marked / "plain", "--key", marked / "my.key", "--tokenizer", "world-vq", "--among", "a=1")
    assert "this mark has none" in f"{found.output}{found.exception}"
    found = called(
        "embed", marked / "plain", "--key", marked / "my.key", "--tokenizer", "world-vq", "--method", "payload",
        "--out", tmp_path / "x",
    )  # fmt: skip
    assert "--message NAME=NUMBER" in f"{found.output}{found.exception}"


def test_power_plans_messages(tmp_path):
    found = called(
        "power", "--tokens", "256", "--delta", "2", "--fpr", "1e-3", "--match", "1", "--bits", "32", "--json"
    )
    (row,) = json.loads(found.output)["messages"]
    assert row["read"] > 0.99
    assert 100 < row["tokens_needed"] < 140
