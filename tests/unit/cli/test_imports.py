"""Help is quick: no verb loads a heavy package to say what it takes."""

import json
import subprocess
import sys

import click
import pytest

from evalkit.cli import group

BANNED = ("torch", "torchvision", "scipy", "pyarrow", "pandas", "duckdb", "sklearn", "cv2", "fsspec", "ray", "datasets")
HELP = """
import contextlib, io, json, sys, time
import click
from evalkit.cli import group
said = {}
for words in json.loads(sys.argv[1]):
    before, began = set(sys.modules), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        group.main([*words, "--help"], standalone_mode=False)
    said[" ".join(words)] = [time.process_time() - began, sorted(set(sys.modules) - before)]
print(json.dumps(said))
"""


def verbs(command, *words):
    """The words of the command, and of all that are in it."""
    yield list(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from verbs(command.get_command(context, name), *words, name)


@pytest.fixture(scope="module")
def said():
    """CPU seconds and newly loaded modules of every verb's help, in one process."""
    done = subprocess.run(
        [sys.executable, "-c", HELP, json.dumps(list(verbs(group)))], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def test_help_loads_no_heavy_package(said):
    loaded = {verb: [name for name in BANNED if name in modules] for verb, (_, modules) in said.items()}
    assert {verb: found for verb, found in loaded.items() if found} == {}


def test_help_of_every_verb_takes_little_time(said):
    assert said.keys() >= {"tokenizer", "watermark ring add", "plan"}
    assert sum(seconds for seconds, _ in said.values()) < 0.3 * len(said)


FIRST = """
import json, pathlib, re, sys
from evalkit.cli import group
group.main(sys.argv[1:], standalone_mode=False)
heavy = ("torch", "torchvision", "pandas", "scipy.linalg", "scipy.stats", "scipy.fft", "sklearn")
status = pathlib.Path("/proc/self/status")  # ru_maxrss would be that of whoever started this process
peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) if status.exists() else 0
print(json.dumps([[name for name in heavy if name in sys.modules], peak]))
"""


def test_a_codec_is_evaluated_without_packages_that_it_does_not_need(tmp_path):
    words = [
        "tokenizer",
        "-m",
        "jpeg-q75",
        "--data",
        "sample/photos",
        "--limit",
        "1",
        "--keep",
        "none",
        "--device",
        "cpu",
    ]
    words += ["--tasks", "reconstruction", "--out", str(tmp_path / "run"), "--json"]
    done = subprocess.run([sys.executable, "-c", FIRST, *words], check=True, capture_output=True, text=True)
    loaded, peak = json.loads(done.stdout.strip().splitlines()[-1])
    assert loaded == []
    assert peak < 400 * 1024
