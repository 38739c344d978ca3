"""`evalkit erasure check` as it is typed."""

import json

import pytest
from click.testing import CliRunner
from helpers.erased import images, written

from evalkit.cli import group, main
from evalkit.erasure.check.items import items_of
from evalkit.erasure.pairs.pair import read_pairs
from evalkit.weights.find import find_weights
from evalkit.world.vocabulary import CLASS_NAMES

EVERYTHING = tuple(word for name in CLASS_NAMES for word in ("--label", name))
HALF = ("--sensitivity", "0.5", "--specificity")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("erased")
    items = items_of(read_pairs(written(folder, 3)), "dog", None)
    images(folder / "a", items)
    images(folder / "b", items, lambda name, caption: "cat" if name == "dog" else name)
    images(folder / "less", items[:-1])
    (folder / "bad").mkdir()
    for file in (folder / "a").iterdir():
        (folder / "bad" / file.name).write_bytes(b"no image")
    (folder / "empty").mkdir()
    (folder / "file").write_text("x")
    (folder / "text.safetensors").write_text("x")
    return folder


def run(home, *arguments):
    flags = (
        "--before",
        home / "a",
        "--after",
        home / "b",
        "--pairs",
        home / "dog.jsonl",
        "--detector",
        "world",
        "--device",
        "cpu",
    )
    return CliRunner().invoke(
        group, [str(each) for each in ("erasure", "check", *flags, *arguments)], catch_exceptions=False
    )


def test_the_verdict_stands_first_and_the_vector_follows(home, tmp_path):
    found = run(home, "--out", tmp_path / "run", "--name", "mine")
    assert found.exit_code == 0
    text = " ".join(found.output.split())
    assert "mine on dog: undecided" in text
    assert text.index("undecided") < text.index("Kept far") < text.index("report.html")
    said = json.loads(run(home, "--out", tmp_path / "run", "--name", "mine", "--json").output)
    assert said["erasure"]["verdict"]["word"] == "undecided"
    assert said["erasure"]["vector"]["erasure_efficacy"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--base", "world-ar"), "Give --base and --erased, or --before and --after"),
        (("--before", "a", "--after", "b", "--sensitivity", "0.9"), "Give --sensitivity and --specificity"),
        (("--before", "a", "--after", "b", "--concept", "church"), "no pair is of the concept 'church'"),
        (("--base", "world-ar", "--erased", "nowhere.safetensors"), "nowhere.safetensors"),
        (("--before", "a", "--after", "c"), "c"),
        (("--before", "b", "--after", "b", "--detector", "world"), "the base shows the concept on 0 of 3 images"),
        (("--before", "a", "--after", "less", "--detector", "world"), "the folders do not hold the same images"),
        (("--before", "a", "--after", "bad", "--detector", "world"), "no image of a direct prompt could be looked at"),
        (("--before", "a", "--after", "b", "--detector", "open-nsfw"), "EVALKIT_WEIGHTS"),
        (("--before", "a", "--after", "b", "--detector", "hf:nowhere/at-all"), "nowhere/at-all is no folder"),
        (("--before", "a", "--after", "b", "--detector", "eyes"), "no encoder called 'eyes'"),
        (("--before", "a", "--after", "b", "--detector", "efflite0"), "efflite0 names nothing in an image"),
        (("--before", "a", "--after", "b", "--detector", "world", *EVERYTHING), "the detector sees the concept in"),
        (("--before", "a", "--after", "b", "--detector", "world", "--probes", "a", "b"), "a holds no run"),
        (("--before", "a", "--after", "b", "--relearn", "4"), "--relearn needs the models"),
        (("--before", "a", "--after", "b", *HALF, "0.5"), "tells nothing apart"),
        (("--before", "a", "--after", "b", "--detector", "world", "--weights", "clipscore=gone"), "gone is not there"),
        (("--base", "world-ar", "--erased", str(find_weights("world_ar_draft.safetensors"))), "is no erased world-ar"),
        (("--base", "world-ar", "--erased", "text.safetensors"), "is not a whole safetensors file"),
        (("--base", "world-ar", "--erased", "empty"), "give images: --before DIR --after DIR"),
        (("--base", "world-ar", "--erased", "file", "--cache", "file"), "file is a file"),
        (("--base", "var-d16", "--erased", "file"), "draws classes, and the pairs hold texts"),
        (("--base", "nobody", "--erased", "file"), "no generator called 'nobody'"),
        (("--base", "world-ar", "--erased", "file", "--guidance", "nan"), "nan is no finite number"),
    ],
)
def test_wrong_usage_is_one_sentence(monkeypatch, capsys, home, arguments, said):
    monkeypatch.chdir(home)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    flags = ["--pairs", "dog.jsonl", "--device", "cpu", "--out", f"refused-{len(list(home.iterdir()))}"]
    monkeypatch.setattr("sys.argv", ["evalkit", "erasure", "check", *flags, *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert "Traceback" not in told
    assert not (home / flags[-1] / "results.json").exists()
