"""Models that run in an environment of their own, by a program of docs/workers (`command:ENV/bin/python FILE …`)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import PurePath


@dataclass(frozen=True)
class Worker:
    """A worked worker: its `file`, and what stands behind it on the command line that starts it.

    `draws`: what an image is drawn of. `side` in pixels. `calls`: the official functions that it calls. `install`: lines
    that make its environment; `needs`: what else that takes.
    """

    title: str
    file: str
    code: str
    licence: str
    draws: str
    side: str
    calls: str
    install: tuple[str, ...]
    start: str
    needs: str = ""
    non_commercial: bool = False


@cache
def known_workers() -> dict[str, Worker]:
    """All models that have a worker, by name."""
    text = package_files("evalkit.generators").joinpath("workers.toml").read_text(encoding="utf-8")
    return {name: Worker(**{**said, "install": tuple(said["install"])}) for name, said in tomllib.loads(text).items()}


def worker_of(arguments: Iterable[str]) -> Worker | None:
    """The worker whose file stands among the arguments of a command, if one does.

    >>> worker_of(["ENV/bin/python", "workers/harmon.py", "Harmon"]).title
    'Harmon-1.5B'
    """
    named = {PurePath(each).name for each in arguments}
    return next((each for each in known_workers().values() if each.file in named), None)
