"""The whole run of the second world at toy size: trainings, weights and every number, in one command."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def run(tmp_path, *more):
    line = [
        sys.executable,
        ROOT / "benchmarks/world/second.py",
        "--preset",
        "toy",
        "--work",
        tmp_path / "w",
        "--out",
        tmp_path / "o",
    ]
    done = subprocess.run(
        [*map(str, line), *more], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    return done.returncode, done.stdout


@pytest.mark.slow
def test_one_command_trains_measures_and_is_not_repeated_where_it_has_ended(tmp_path):
    assert run(tmp_path, "--limit", "0.5")[0] == 75
    status, said = run(tmp_path)
    assert status == 0, said
    names = {path.name for path in (tmp_path / "o").iterdir()}
    assert {f"world_{name}.safetensors" for name in ("detector2", "vq2", "ar2")} <= names
    with (tmp_path / "o" / "world-2-floors.csv").open() as stream:
        measured = {row["what"] for row in csv.DictReader(stream)}
    assert {"right, oracle", "right, generator", "places, share of the oracle's", "tokenizer psnr dB"} <= measured
    assert {"distinct images of 32 seeds", "bits of an image given its caption", "authenticity of images"} <= measured
    again = run(tmp_path, "--stages", "vq")[1]
    assert "second_vq.py" not in again
    assert "second_measure.py" in again
