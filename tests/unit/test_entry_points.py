"""Another package's tokenizer, metric, encoder and prompt suite work as evalkit's own, without an edit in evalkit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import evalkit
from evalkit.runs import read_run

ROOT = Path(evalkit.__file__).parent.parent
EXTERNAL = Path(__file__).parents[1] / "external"
POINTS = """
[evalkit.tokenizers]
halve = evalkit_example.tokenizer
broken = evalkit_example.nothing
forgetful = evalkit_example
jpeg-lm = evalkit_example.nothing

[evalkit.encoders]
mean-colour = evalkit_example.encoder

[evalkit.metrics]
brightness_shift = evalkit_example.metric

[evalkit.prompts]
apples = evalkit_example.suite:apples
"""


@pytest.fixture
def run(tmp_path):
    """Runs Python in a process for which the example package is installed."""
    info = tmp_path / "site" / "evalkit_example-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evalkit-example\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    paths = (ROOT, EXTERNAL, tmp_path / "site")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}

    def started(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return started


def test_a_foreign_tokenizer_and_metric_are_listed_evaluated_ranked_and_verified(run, tmp_path):
    listed = {card["name"]: card for card in json.loads(run("-m", "evalkit", "ls", "tokenizers", "--json"))}
    assert listed["halve"]["title"] == "of the package evalkit-example"
    options = ("-d", "sample/photos", "--limit", "2", "--tasks", "reconstruction", "--out")
    run("-m", "evalkit", "tokenizer", "-m", "half", "-m", "jpeg-q10", *options, "runs")
    record = json.loads((tmp_path / "runs" / "halve" / "record.json").read_text())
    assert record["model"]["name"] == "halve"
    page = (tmp_path / "runs" / "halve" / "report.html").read_text(encoding="utf-8")
    assert "halve" in page
    (row,) = [each for each in read_run(tmp_path / "runs" / "halve").results if each["metric"] == "brightness_shift"]
    assert 0 < row["value"] < 0.01
    assert "Brightness shift" in page
    run("-m", "evalkit", "leaderboard", "runs", "--out", "board")
    board = (tmp_path / "board" / "leaderboard.csv").read_text()
    assert "halve" in board
    assert "brightness_shift" in board
    run("-m", "evalkit", "verify", "runs/halve", "--rescore", "1", "--regenerate", "1")


def test_a_foreign_encoder_and_a_foreign_suite_are_found_by_name(run):
    script = (
        "import numpy as np, evalkit\n"
        "encoder = evalkit.load_encoder('mean-colour', device='cpu')\n"
        "print(encoder.kind, encoder([np.full((4, 5, 3), 255, np.uint8)])[0].tolist())\n"
        "print([prompt.prompt for prompt in evalkit.load_prompts('apples').prompts])"
    )
    assert run("-c", script).splitlines() == [
        "features [1.0, 1.0, 1.0]",
        "['a photo of a red apple', 'a photo of a green apple']",
    ]
    assert json.loads(run("-m", "evalkit", "ls", "encoders", "--json"))["mean-colour"] == "features"
    assert "or a suite: apples, geneval, world, world2" in run(
        "-m", "evalkit", "generate", "-m", "world-ar", "-p", "pears", code=2
    )


def test_a_foreign_package_costs_nothing_where_its_names_are_not_asked_for(run):
    script = (
        "import sys, evalkit; from evalkit.tokenizers.registry import TOKENIZERS\n"
        "evalkit.load_tokenizer('jpeg-lm'); assert 'halve' in TOKENIZERS and 'broken' in list(TOKENIZERS)\n"
        "assert TOKENIZERS.canonical('halve') == 'halve'\n"
        "print([name for name in sys.modules if name.startswith('evalkit_example')])"
    )
    assert run("-c", script).strip() == "[]"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "the tokenizer broken of the package evalkit-example cannot be loaded (ModuleNotFoundError"),
        ("forgetful", "the package evalkit-example offers the tokenizer 'forgetful' but does not register it"),
        ("halv", "did you mean halve"),
    ],
)
def test_a_foreign_package_that_is_broken_is_named_in_one_sentence(name, said, run):
    out = run("-m", "evalkit", "tokenizer", "-m", name, "-d", "sample/photos", code=2)
    assert said in " ".join(out.split())
    assert "Traceback" not in out


def test_a_name_of_evalkit_is_not_given_away(run):
    assert "Codec" in run("-c", "import evalkit; print(type(evalkit.load_tokenizer('jpeg-lm')).__name__)")
