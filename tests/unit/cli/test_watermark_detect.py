"""evalkit watermark detect and calibrate as a person types them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from evalkit.cli import group
from evalkit.errors import EvalkitError


def typed(*words):
    return CliRunner().invoke(group, ["watermark", *map(str, words)])


def told(*words):
    """The sentence that a person reads where something is wrong."""
    result = typed(*words)
    assert isinstance(result.exception, EvalkitError), result.output
    return str(result.exception)


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for i in range(6):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(pixels).save(data / f"{i}.png")
    typed("keygen", tmp_path / "my.key")
    return data


def test_detect_prints_a_finding_and_where_everything_lies(folder, tmp_path):
    words = (
        "--key",
        tmp_path / "my.key",
        "--tokenizer",
        "world-vq",
        "--out",
        tmp_path / "run",
        "--cache",
        tmp_path / "c",
    )
    result = typed("detect", folder, *words)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "was detected in" in said
    assert "which is not “not generated”" in said
    assert "report.html" in said
    again = typed("detect", folder, *words, "--json")
    found = json.loads(again.stdout)
    assert sum(found["counts"][name] for name in ("detected", "not detected", "inconclusive", "error")) == 6
    assert (tmp_path / "my.key").read_text().strip() not in (tmp_path / "run" / "record.json").read_text()


def test_a_failed_image_makes_the_exit_code_1(folder, tmp_path):
    (folder / "empty.png").write_bytes(b"")
    words = ("--key", tmp_path / "my.key", "--tokenizer", "world-vq", "--out", tmp_path / "run", "--no-cache")
    result = typed("detect", folder, *words)
    assert result.exit_code == 1
    assert "empty.png: the file is empty" in result.output
    result = typed(
        "calibrate",
        folder,
        "--key",
        tmp_path / "my.key",
        "--tokenizer",
        "world-vq",
        "--out",
        tmp_path / "c.npz",
        "--no-cache",
    )
    assert result.exit_code == 1
    assert "empty.png" in result.output


def test_calibrate_then_detect(folder, tmp_path):
    words = ("--key", tmp_path / "my.key", "--tokenizer", "world-vq", "--cache", tmp_path / "c")
    done = typed("calibrate", folder, *words, "--out", tmp_path / "cal.npz", "--json")
    assert json.loads(done.stdout)["null"] == 6
    run = typed("detect", folder, *words, "--calibration", tmp_path / "cal.npz", "--out", tmp_path / "run", "--json")
    assert run.exit_code == 0, run.output
    counted = typed("calibrate", folder, "--tokenizer", "world-vq", "--out", tmp_path / "codes.npz", "--no-cache")
    assert "code frequencies alone" in counted.output
    paired = ("--kind", "paired", "--frequencies", tmp_path / "codes.npz", "--out", tmp_path / "paired", "--json")
    run = typed("detect", folder, *words, *paired)
    assert run.exit_code == 0, run.output


def test_two_keys_are_looked_for_at_once(folder, tmp_path):
    typed("keygen", tmp_path / "other.key")
    words = (
        "--key",
        tmp_path / "my.key",
        "--also-key",
        tmp_path / "other.key",
        "--tokenizer",
        "world-vq",
        "--no-cache",
    )
    run = typed("detect", folder, *words, "--out", tmp_path / "run", "--epoch", "a", "--epoch", "b", "--json")
    assert run.exit_code == 0, run.output
    marks = json.loads((tmp_path / "run" / "record.json").read_bytes())["detection"]["mark"]["marks"]
    assert len(marks) == 4


def test_what_is_wrong_is_said_in_one_sentence(folder, tmp_path):
    key, tokenizer = ("--key", tmp_path / "my.key"), ("--tokenizer", "world-vq")
    (tmp_path / "empty").mkdir()
    assert "Give --key FILE" in told("detect", folder, *tokenizer)
    assert "Give --tokenizer NAME" in told("detect", folder, *key)
    assert "no readable key file" in told("detect", folder, "--key", tmp_path / "none.key", *tokenizer)
    assert "there are no images" in told("detect", tmp_path / "empty", *key, *tokenizer)
    assert "no fixed number of" in told("detect", folder, *key, "--tokenizer", "jpeg-lm")
    assert "there is no search called" in told("detect", folder, *key, *tokenizer, "--search", "whirl")
    assert "needs calibrated ones" in told("detect", folder, *key, *tokenizer, "--decide", "larger")
    assert "contradict each other" in told("detect", folder, *key, *tokenizer, "--no-cache", "--cache", "c")
    assert "cannot be read" in told("detect", folder, *key, *tokenizer, "--c2pa-anchors", tmp_path / "none.pem")
    assert "holds none" in told("detect", folder, *key, *tokenizer, "--c2pa-anchors", folder / "0.png")
    assert "Give --out cal.npz" in told("calibrate", folder, *key, *tokenizer)
    assert "lies between 0 and 1" in told("detect", folder, *key, *tokenizer, "--fdr", "2")


def test_a_wrong_key_for_mark_json_is_named(folder, tmp_path):
    from evalkit.watermark.keys import Key
    from evalkit.watermark.lists import Scheme, make_pool
    from evalkit.watermark.mark import LexicalBias
    from evalkit.watermark.methods import write_mark

    other = Key(bytes(32))
    write_mark(tmp_path / "mark.json", LexicalBias(make_pool(other, "world-vq@x", 1024, Scheme()), other, "world-vq@x"))
    said = told("detect", folder, "--key", tmp_path / "my.key", "--mark", tmp_path / "mark.json")
    assert f"was made with the key {other.id}" in said


def test_help_has_examples():
    for verb in ("detect", "calibrate"):
        shown = typed(verb, "-h")
        assert shown.exit_code == 0
        assert shown.output.count(f"evalkit watermark {verb}") >= 2


def test_decoys_and_regions_are_told_on_the_screen(folder, tmp_path):
    words = ("--key", tmp_path / "my.key", "--tokenizer", "world-vq", "--no-cache")
    result = typed("detect", folder, *words, "--decoys", "199", "--regions", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "199 decoy keys, which nobody marked with" in said
    assert "p of the folder as a whole" in said
    assert "Regions that carry the mark: in" in said


def test_radioactive_answers_once_for_all_outputs(folder, tmp_path):
    words = ("--outputs", folder, "--key", tmp_path / "my.key", "--tokenizer", "world-vq", "--no-cache")
    result = typed("radioactive", *words, "--decoys", "99", "--out", tmp_path / "a")
    assert result.exit_code == 0, result.output
    assert "6 outputs" in result.output
    found = json.loads(typed("radioactive", *words, "--decoys", "99", "--out", tmp_path / "a", "--json").stdout)
    assert set(found) == {"run", "found", "p", "mean", "images", "keys", "alpha"}
    assert 0.01 <= found["p"] <= 1
    assert "--decoys 1000" in told("radioactive", *words, "--decoys", "99", "--alpha", "0.001")


def test_a_forgotten_mark_json_is_told_where_nothing_is_found(folder, tmp_path):
    words = ("--key", tmp_path / "my.key", "--tokenizer", "world-vq", "--no-cache", "--alpha", "1e-9")
    result = typed("detect", folder, *words, "--out", tmp_path / "a")
    assert "Looked for lbw with one list, as nothing else was said. Give --mark mark.json" in result.output
    result = typed("detect", folder, *words, "--method", "places", "--out", tmp_path / "b")
    assert "Looked for" not in result.output
