"""`evalkit probe` and `evalkit ls probes` as they are typed."""

import json

import pytest
from click.testing import CliRunner
from helpers.drawn import drawn

from evalkit.cli import group, main
from evalkit.errors import EvalkitError


def run(*arguments):
    return CliRunner().invoke(group, [str(each) for each in arguments], catch_exceptions=False)


def test_images_then_their_evidence_with_another_threshold(tmp_path):
    images = drawn(tmp_path / "images", 6)
    first = run("probe", "world", "--images", images, "--limit", 6, "--out", tmp_path / "a", "--device", "cpu")
    assert first.exit_code == 0
    assert "Coverage 100 %: 6 of 6 images have a verdict" in first.output
    assert "report.html" in first.output
    evidence = ("probe", "world", "--evidence", tmp_path / "a" / "evidence.jsonl", "--limit", 6)
    again = run(*evidence, "--threshold", 1, "--counting-threshold", 1, "--out", tmp_path / "b", "--json")
    said = json.loads(again.output)
    assert said["results"][0]["value"] == 0
    assert said["probe"]["rules"] == {"threshold": 1.0, "counting_threshold": 1.0}


def test_images_that_could_not_be_read_are_listed_with_exit_code_1(tmp_path):
    images = drawn(tmp_path / "images", 3)
    (images / "00001" / "samples" / "0000.png").write_bytes(b"?")
    flags = ("--limit", 3, "--allow-missing", "--out", tmp_path / "a", "--device", "cpu")
    found = run("probe", "world", "--images", images, *flags)
    assert found.exit_code == 1
    assert "Coverage 66.67 %" in found.output
    assert "world-0-00001-00: " in found.output


def test_probes_are_listed(tmp_path):
    assert "mask2former-swin-s" in run("ls", "probes").output
    found = {row["name"]: row for row in json.loads(run("ls", "probes", "--json").output)}
    assert (found["geneval"]["prompts"], found["geneval"]["samples"]) == (553, 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("probe", "genevall", "--model", "world-ar"), "did you mean geneval"),
        (("probe", "world"), "exactly one of --images, --model, --evidence"),
        (("probe", "world", "--images", "/no/such"), "/no/such cannot be read"),
        (("probe", "world", "--evidence", "/no/such"), "/no/such cannot be read"),
        (("probe", "world", "--model", "world-ar", "--detector", "worldd"), "did you mean world"),
    ],
)
def test_wrong_usage_is_one_sentence(monkeypatch, capsys, tmp_path, arguments, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["evalkit", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_asking_anew_takes_nothing_that_would_change_what_was_asked(tmp_path):
    for given in (["--made", "thinking"], ["--samples", "2"], ["--policy", "zero"], ["--images", tmp_path]):
        with pytest.raises(EvalkitError, match=f"Leave out {given[0]}"):
            run("probe", "wise", "--reask", tmp_path, *given)
