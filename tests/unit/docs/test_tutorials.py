"""The tutorials run as they stand, from top to bottom in an empty folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import evalkit

ROOT = Path(evalkit.__file__).parents[1]
FENCE = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def steps():
    """The arguments of each process."""
    for language, body in FENCE.findall((ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8")):
        if language == "python":
            yield ["-c", body]
        else:
            yield from (["-m", *shlex.split(line.removeprefix("$ "))] for line in body.splitlines())


@pytest.mark.slow
def test_every_block_of_the_tutorials_runs(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = 0
    for arguments in steps():
        said = subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert said.returncode == 0, (arguments[:8], said.stderr[-2000:])
        done += 1
    assert done > 15
