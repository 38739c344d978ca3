"""Python blocks of README and docs run, each in a folder that holds what its page speaks of; those of tutorials elsewhere."""

import os
import subprocess
import sys

import pytest

from .site import ROOT
from .test_blocks import PYTHON

OTHERS = {
    "tutorials.md": "run one after the other by test_tutorials",
    "README.md": "needs weights",
    "attacks.md": "its arrays stand for the reader's own",
    "erasers.md": "the same steps are in the tutorials",
    "erasure.md": "the same steps are in the tutorials",
    "likelihood.md": "its folders stand for the reader's own",
}
PREPARED = {
    "score.md": ["generate -m world-ar -p world --limit 6 --out made"],
    "runs.md": ["tokenizer -m jpeg-lm --limit 2 --tasks reconstruction"],
    "provenance.md": [
        "generate -m world-ar -p world --limit 2 --out runs/made",
        "sign --new-key my.pem",
        "sign runs/made --key my.pem",
    ],
}
NEEDS_WEIGHTS = "var-d16"


def blocks():
    for page, number, body in PYTHON:
        if page not in OTHERS and NEEDS_WEIGHTS not in body:
            yield pytest.param(page, body, id=f"{page}-{number}")


def started(arguments, folder):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "EVALKIT_OFFLINE": "1"}
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, (arguments[:6], done.stderr[-2000:])


@pytest.mark.slow
@pytest.mark.parametrize(("page", "body"), blocks())
def test_a_python_block_runs(page, body, tmp_path):
    for line in PREPARED.get(page, ()):
        started(["-m", "evalkit", *line.split()], tmp_path)
    if page == "score.md":
        for name in ("samples", "photos"):
            (tmp_path / name).symlink_to(tmp_path / "made" / "images")
    if body.lstrip().startswith(">>>"):
        body = "\n".join(line[4:] for line in body.splitlines() if line.startswith((">>> ", "... ")))
    started(["-c", body], tmp_path)


def test_pages_that_are_left_out_have_blocks():
    pages = {page for page, _, _ in PYTHON}
    assert set(OTHERS) <= pages
    assert set(PREPARED) <= pages
