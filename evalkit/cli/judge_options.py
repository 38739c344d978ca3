"""Flags of suites that a judge scores, collected into one JudgeOptions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from evalkit.cli.numbers import Finite

FOLDER = click.Path(path_type=Path)
_FLAGS = (
    click.option(
        "--judge",
        metavar="NAME",
        help="Who judges: http:URL#MODEL (key: EVALKIT_API_KEY), transformers:REPO, ocr:rapidocr.",
    ),
    click.option("--data", type=FOLDER, metavar="DIR", help="The benchmark's files [default: evalkit probes fetch]."),
    click.option("--sources", type=FOLDER, metavar="DIR", help="Images that edits start from [default: --data]."),
    click.option(
        "--replies", type=FOLDER, metavar="FILE", help="Keeps every reply, asked once [default: in the cache]."
    ),
    click.option(
        "--tries", type=click.IntRange(min=1), help="Times that a question is asked [default: as officially]."
    ),
    click.option(
        "--prices", type=(Finite(0), Finite(0)), metavar="IN OUT", help="Of a million prompt and reply tokens."
    ),
    click.option("--budget", type=Finite(0), help="Stop asking before this is exceeded, in the currency of --prices."),
    click.option("--max-requests", "requests", type=click.IntRange(min=0), help="Stop asking after so many."),
    click.option("--deadline", type=Finite(0), metavar="SECONDS", help="For the questions about sixteen images."),
)
_NAMES = ("judge", "data", "sources", "replies", "tries", "budget", "requests", "deadline")


def judge_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags; the command receives `judging: JudgeOptions` instead of them."""

    @functools.wraps(command)
    def collected(**given: Any) -> Any:
        from evalkit.tasks.probe.judged.options import JudgeOptions

        picked = {name: given.pop(name) for name in _NAMES}
        prices = given.pop("prices") or (0.0, 0.0)
        return command(**given, judging=JudgeOptions(**picked, prices=prices))

    flagged: Callable[..., Any] = collected
    for flag in reversed(_FLAGS):
        flagged = flag(flagged)
    return flagged
