"""CPU seconds of `import evalkit`, of the help of every verb, and of the first image of a run, beside numpy and torch.

python benchmarks/speed/startup.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence

import click
from common import write

from evalkit.cli import group

CODE = {
    "python alone": "pass",
    "import evalkit": "import evalkit",
    "evalkit --help": "from evalkit.cli import group; group(['--help'], standalone_mode=False)",
    "import numpy": "import numpy",
    "import torch": "import torch",
}
FIRST = """
import os
from evalkit.cli import group
from evalkit.cli.progress import BarProgress
BarProgress.advance = lambda self, samples, resumed=False, timers=None: os._exit(0) if samples and not resumed else None
group(["tokenizer", "--model", "jpeg-lm", "--limit", "1", "--device", "cpu", "--out", "run"])
"""  # ends as soon as an image is done


def verbs(command: click.Command, words: Sequence[str] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every verb, groups and what is in them."""
    if words:
        yield tuple(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from verbs(inner, (*words, name))


def first_image() -> float:
    """CPU seconds until the first image is done."""
    with tempfile.TemporaryDirectory() as folder:
        return cpu_seconds(["-c", FIRST], folder)


def cpu_seconds(words: Sequence[str], folder: str | None = None) -> float:
    """User and system time of one fresh interpreter."""
    before = os.times()
    subprocess.run([sys.executable, *words], check=True, capture_output=True, cwd=folder)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure and write results/startup.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    found = {name: [cpu_seconds(["-c", code]) for _ in range(repeats)] for name, code in CODE.items()}
    helped = {
        words: [cpu_seconds(["-m", "evalkit", *words, "--help"]) for _ in range(min(3, repeats))]
        for words in verbs(group)
    }
    slowest = max(helped, key=lambda words: statistics.median(helped[words]))
    found[f"help of the slowest of {len(helped)} verbs (evalkit {' '.join(slowest)} --help)"] = helped[slowest]
    found["first image of the sample set is done, every default task"] = [first_image() for _ in range(min(5, repeats))]
    rows = [
        {"work": name, "median_cpu_s": round(statistics.median(times), 3), "repeats": len(times)}
        for name, times in found.items()
    ]
    write("startup", rows)


if __name__ == "__main__":
    main()
