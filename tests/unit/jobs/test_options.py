"""What options mean: whose a weight file is, in a function and in every verb; where a run may lie."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from evalkit.cli import group
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions, batch_of, check_apart, named_weights, weights_by_name

ALIASES = {"gigatok": "gigatok-bl"}


def alias(name):
    return ALIASES.get(name, name)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "epoch=3.pth").touch()
    (tmp_path / "a=1").mkdir()
    (tmp_path / "a=1" / "w.pth").touch()
    return tmp_path


TABLE = {
    "a file is of the only model": (["w.pth"], ["var"], None, {"var": "w.pth"}),
    "a file is of the main model": (["w.pth"], ["mar-b", "mar-kl16"], "mar-b", {"mar-b": "w.pth"}),
    "a name says whose a file is": (["b=w.pth", "a=v.pth"], ["a", "b"], None, {"a": "v.pth", "b": "w.pth"}),
    "an alias is a name": (["gigatok=w.pth"], ["gigatok-bl"], None, {"gigatok-bl": "w.pth"}),
    "a folder is of all": (["folder"], ["a", "b"], None, {"a": "folder", "b": "folder"}),
    "a named file goes before the folder": (["folder", "a=w.pth"], ["a", "b"], None, {"a": "w.pth", "b": "folder"}),
    "a file name may hold =": (["epoch=3.pth"], ["var"], None, {"var": "epoch=3.pth"}),
    "a path may hold =": (["a=1/w.pth"], ["a"], None, {"a": "a=1/w.pth"}),
    "a named file may hold =": (["var=epoch=3.pth"], ["var"], None, {"var": "epoch=3.pth"}),
    "nothing is of nobody": ([], ["var"], None, {}),
}


@pytest.mark.parametrize("case", TABLE)
def test_whose_a_weight_file_is(case, here):
    given, models, main, wanted = TABLE[case]
    assert weights_by_name(given, models, main=main, canonical=alias) == wanted


@pytest.mark.parametrize(
    ("given", "models", "said"),
    [
        (["w.pth"], ["a", "b"], "does not say whose it is; type, for example, --weights a=w.pth"),
        (["c=w.pth"], ["a", "b"], "c is none of the models here, and there is no such file; .* a or b"),
        (["a=w.pth", "a=v.pth"], ["a", "b"], "gives a two places"),
        (["w.pth", "v.pth"], ["a"], "gives a two places"),
    ],
)
def test_what_cannot_be_understood_is_said(given, models, said, here):
    with pytest.raises(EvalkitError, match=said):
        weights_by_name(given, models)


def test_names_of_models_elsewhere_are_passed_over_where_lists_are_shared(here):
    assert weights_by_name(["c=w.pth", "a=v.pth"], ["a"], elsewhere=True) == {"a": "v.pth"}
    assert named_weights(["w.pth", "c=v.pth", "folder", "epoch=3.pth"], "a") == (
        "a=w.pth",
        "c=v.pth",
        "folder",
        "a=epoch=3.pth",
    )


def test_a_run_may_not_lie_within_its_data(tmp_path):
    data = tmp_path / "photos"
    data.mkdir()
    (data / "zip.zip").touch()
    for spec, out in ((data, data), (data, data / "runs" / "x"), (f"{data}/**/*.png", data / "x")):
        with pytest.raises(EvalkitError, match="lies within the data"):
            check_apart(spec, out)
    for spec, out in ((data, tmp_path / "runs"), (data / "zip.zip", data / "x"), (f"{data}/*.png", data / "x")):
        check_apart(spec, out)
    check_apart("sample", data)


def test_auto_is_the_usual_batch():
    assert (batch_of("auto", 8), batch_of(3, 8)) == (8, 3)


FILES = {
    "FILE": "given.pt",
    "NAME=FILE": "{name}=given.pt",
    "FILE with =": "epoch=3.pt",
    "NAME=FILE with =": "{name}=epoch=3.pt",
    "FOLDER": "folder",
}
MARK = ("--key", "key.txt", "--tokenizer", "llamagen-vq16")
VERBS = {
    "tokenizer": ("tokenizer", "-m", "llamagen-vq16", "-d", "photos", "--out", "out"),
    "generate": ("generate", "-m", "llamagen-b", "-p", "classes:imagenet:0", "--out", "out"),
    "embed": ("watermark", "embed", "photos", *MARK, "--out", "out"),
    "embed --model": ("watermark", "embed", "--model", "llamagen-b", "--prompts", "classes:imagenet:0", "--delta", "2",
                      *MARK[:2], "--out", "out"),
    "detect": ("watermark", "detect", "photos", *MARK, "--out", "out"),
    "calibrate": ("watermark", "calibrate", "photos", *MARK, "--out", "cal.npz"),
    "attack": ("watermark", "attack", "photos", "--attack", "retokenize:llamagen-vq16", "--out", "out"),
    "robustness": ("watermark", "robustness", "photos", *MARK, "--attack", "png", "--out", "out"),
}  # fmt: skip
KEYS = {"generate": "llamagen-b", "embed --model": "llamagen-b"}


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A folder with an image, a key and files called weights; what weight files were looked for, and where."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((256, 256, 3), np.uint8)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "folder").mkdir()
    for name in ("given.pt", "epoch=3.pt"):
        (tmp_path / name).touch()
    looked = []

    def look(entry, path):
        looked.append((entry.key, str(path)))
        raise EvalkitError("looked")

    CliRunner().invoke(group, ["watermark", "keygen", "key.txt"], catch_exceptions=False)
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setattr("evalkit.weights.find._in_given", look)
    return looked


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("verb", VERBS)
def test_weights_mean_the_same_in_every_verb(verb, form, asked):
    name = KEYS.get(verb, "llamagen-vq16")
    given = FILES[form].format(name=name)
    CliRunner().invoke(group, [*VERBS[verb], "--weights", given])
    wanted = given.removeprefix(f"{name}=")
    assert asked, "no weight file was looked for"
    assert {path for _, path in asked} == {wanted}


@pytest.mark.parametrize("verb", sorted({*VERBS} - {"attack", "robustness"}))
def test_weights_of_a_model_that_a_verb_has_not_are_refused_by_name(verb, asked):
    result = CliRunner().invoke(group, [*VERBS[verb], "--weights", "titok-l32=given.pt"])
    assert not asked
    assert re.search("titok-l32 is none of the models here", str(result.exception))


@pytest.mark.parametrize("form", FILES)
def test_verify_takes_weights_as_the_verbs_do(form, asked):
    line = [
        "tokenizer",
        "-m",
        "world-vq",
        "-d",
        "photos",
        "--tasks",
        "reconstruction",
        "--out",
        "out",
        "--keep",
        "none",
    ]
    CliRunner().invoke(group, line, catch_exceptions=False)
    given = FILES[form].format(name="world-vq")
    CliRunner().invoke(group, ["verify", "out", "--regenerate", "1", "--no-recompute", "--weights", given])
    assert {path for _, path in asked} == {given.removeprefix("world-vq=")}


@pytest.mark.parametrize("verb", ["tokenizer", "embed", "detect", "attack", "robustness"])
def test_a_run_within_its_data_is_refused_in_every_verb(verb, asked):
    line = [{"out": "photos/out", "llamagen-vq16": "world-vq"}.get(each, each) for each in VERBS[verb]]
    line = [each.replace("retokenize:llamagen-vq16", "jpeg:75") for each in line]
    result = CliRunner().invoke(group, line)
    assert "lies within the data photos" in str(result.exception)


def test_text_is_taken_for_a_path_and_for_one_file():
    options = RunOptions(out="runs/a", weights="b.pt")
    assert options.out == Path("runs/a")
    assert options.weights == ("b.pt",)
    with pytest.raises(EvalkitError, match="leaves no sample"):
        RunOptions(limit=0)


def test_a_place_with_a_zero_byte_is_refused_before_anything_is_done():
    with pytest.raises(EvalkitError, match=r"holds a zero byte.*Give another folder"):
        RunOptions(out="runs/a\0b")
