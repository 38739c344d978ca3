"""`evalkit erasure pairs` and `train`: from a concept to an eraser on the command line."""

import json

import pytest
from click.testing import CliRunner
from helpers.small.erasure import tiny_world

from evalkit.cli import group
from evalkit.cli.erasure_train import METHODS
from evalkit.erasure.pairs.pair import read_pairs
from evalkit.erasure.training import objective
from evalkit.erasure.training.inputs import retained_prompts, training_pairs
from evalkit.erasure.training.settings import Settings, parse_blocks
from evalkit.errors import EvalkitError


def run(*arguments):
    return CliRunner().invoke(group, ["erasure", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def made(tmp_path):
    shown = run("pairs", "--concept", "dog", "--grammar", "world", "-n", 4, "--out", tmp_path / "pairs")
    assert shown.exit_code == 0
    assert "direct: 4 to train, 4 to test" in shown.output
    return tmp_path / "pairs" / "pairs.jsonl"


@pytest.fixture
def _tiny(monkeypatch):
    monkeypatch.setattr("evalkit.erasure.training.run.load_generator", lambda *given, **named: tiny_world())


def test_pairs_of_a_concept_are_told_as_json(tmp_path):
    shown = run("pairs", "--concept", "church", "-n", 3, "--out", tmp_path, "--json")
    said = json.loads(shown.output)
    assert said["pairs"]["misspelt"] == {"train": 3, "test": 3}
    assert (said["concept"], said["kind"], said["made"]) == ("church", "object", 36)
    assert len(read_pairs(tmp_path / "pairs.jsonl")) == 36


@pytest.mark.usefixtures("_tiny")
def test_a_method_runs_with_what_was_typed_in_place_of_its_own_settings(made, tmp_path):
    given = (
        "--method",
        "replace+retain",
        "--pairs",
        made,
        "--out",
        tmp_path / "eraser",
        "--blocks",
        "0",
        "--modules",
        "",
        "--json",
    )
    shown = run("train", "-m", "world-ar", *given, "--window", 0, "--epochs", 1, "--batch", 4, "--retain-weight", 2)
    said = json.loads(shown.output)
    assert (
        said["settings"] | {"blocks": [0, 0], "window": None, "epochs": 1, "batch": 4, "retain": 2.0}
        == said["settings"]
    )
    assert said["pairs"]["count"] == 8  # direct and compositional
    assert said["retain"]["count"] == 512
    assert said["steps"] == 2
    again = run("train", "-m", "world-ar", *given[:-1], "--epochs", 1, "--batch", 4, "--retain-weight", 2)
    assert "2 updates" in again.output
    assert f"--weights world-ar={tmp_path / 'eraser' / 'weights.safetensors'}" in again.output.replace("\n", "")


@pytest.mark.usefixtures("_tiny")
def test_strata_and_a_limit_choose_the_pairs(made, tmp_path):
    given = ("--method", "replace", "--pairs", made, "--out", tmp_path / "eraser", "--json")
    said = json.loads(run("train", "-m", "world-ar", *given, "--strata", "synonym", "--limit", 3).output)
    assert (said["pairs"]["count"], said["retain"]["count"]) == (3, 512)


def test_the_command_offers_every_method():
    assert set(METHODS) == set(objective.METHODS)


def test_inputs_that_cannot_be_used_are_named(made, tmp_path):
    with pytest.raises(EvalkitError, match="no stratum 'near'"):
        training_pairs(made, ("near",))
    with pytest.raises(EvalkitError, match="no pair to train on in the strata implicit"):
        training_pairs(made, ("implicit",))
    with pytest.raises(EvalkitError, match="Give --retain FILE"):
        retained_prompts(None, tmp_path / "elsewhere.jsonl", needed=True)
    assert retained_prompts(None, tmp_path / "elsewhere.jsonl", needed=False) == ()
    with pytest.raises(EvalkitError, match="--detector NAME"):
        run("pairs", "--concept", "church", "--model", "janus-pro-1b", "--out", tmp_path / "p")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"window": 0}, "window is 0"),
        ({"learning_rate": 0.0}, "learning rate and epsilon are above 0"),
        ({"blocks": (3, 1)}, "blocks 3 to 1 are none"),
        ({"modules": "("}, "no regular expression"),
        ({"threshold": float("nan")}, "threshold is no number"),
    ],
)
def test_settings_that_mean_nothing_are_refused(given, said):
    with pytest.raises(EvalkitError, match=said):
        Settings(**given)


def test_blocks_are_written_as_a_range_a_number_or_all():
    assert [parse_blocks(text) for text in ("0-4", "2", "all")] == [(0, 4), (2, 2), None]
    with pytest.raises(EvalkitError, match="names no blocks"):
        parse_blocks("first")
    assert Settings(threshold=float("inf")).as_dict()["threshold"] == "inf"


def test_the_folder_of_pairs_stands_for_its_file(tmp_path):
    from evalkit.cli.erasure_options import PairsFile

    (tmp_path / "pairs.jsonl").write_text("")
    assert PairsFile().convert(str(tmp_path), None, None) == tmp_path / "pairs.jsonl"
    assert PairsFile().convert(str(tmp_path / "mine.jsonl"), None, None) == tmp_path / "mine.jsonl"
