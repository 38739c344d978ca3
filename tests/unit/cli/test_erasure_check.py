"""`evalkit erasure check` as it is typed."""

import json

import pytest
from click.testing import CliRunner
from helpers.erased import images, written

from evalkit.cli import group, main
from evalkit.erasure.check.items import items_of
from evalkit.erasure.pairs.pair import read_pairs


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("erased")
    items = items_of(read_pairs(written(folder, 3)), "dog", None)
    images(folder / "a", items)
    images(folder / "b", items, lambda name, caption: "cat" if name == "dog" else name)
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
    ],
)
def test_wrong_usage_is_one_sentence(monkeypatch, capsys, home, arguments, said):
    monkeypatch.chdir(home)
    monkeypatch.setattr("sys.argv", ["evalkit", "erasure", "check", "--pairs", "dog.jsonl", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
