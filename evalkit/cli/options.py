"""Flags that the verbs share, collected into one RunOptions."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click

from evalkit.cli.numbers import MOST_BATCH, THREADS
from evalkit.images.hashing import REHASH


class BatchSize(click.ParamType[Any]):
    """A whole number from 1, or `auto`."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Literal["auto"]:
        """The number, or "auto"."""
        if isinstance(value, int):
            return value
        if value == "auto":
            return "auto"
        if not (str(value).isascii() and str(value).isdigit()) or not 1 <= int(str(value)[:9]) <= MOST_BATCH:
            self.fail(f"{value!r} is not a whole number from 1 to {MOST_BATCH}, nor auto", param, ctx)
        return int(value)


def _rehash(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Believe no kept digest in this command, nor in the processes that it starts."""
    if value:
        os.environ[REHASH] = "1"
        ctx.call_on_close(lambda: os.environ.pop(REHASH, None))


REHASH_FLAG = click.option(
    "--rehash",
    is_flag=True,
    expose_value=False,
    callback=_rehash,
    help="Read all data to know it again, also files whose size and times are as before.",
)
_FLAGS = (
    click.option("--out", type=click.Path(path_type=Path), help="Run directory [default: runs/<task>-<model>-<hash>]."),
    click.option("--limit", type=click.IntRange(min=1), help="Only the first N samples."),
    click.option("--batch-size", type=BatchSize(), default="auto", show_default=True, help="Samples a forward pass."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:0, mps."),
    click.option(
        "--dtype",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        default="float32",
        help="Precision of decoding, where float16 is safe [default: float32; of generators: bfloat16 on a GPU that has it].",
    ),
    click.option("--seed", type=int, default=0, show_default=True, help="For stochastic decoders and the bootstrap."),
    click.option(
        "--keep",
        type=click.Choice(["none", "worst", "all"]),
        default="worst",
        show_default=True,
        help="Which images stay with the run.",
    ),
    click.option("--weights", multiple=True, metavar="FILE|NAME=FILE", help="Weight file in the official layout."),
    click.option("--compile", is_flag=True, help="Let torch compile the network: slow to start, then faster."),
    click.option("--threads", type=THREADS, default=2, show_default=True, help="Decoding threads."),
    REHASH_FLAG,
    click.option("--json", "as_json", is_flag=True, help="Print results as JSON, and nothing else, on stdout."),
)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared flags; the command receives `options: RunOptions` and `as_json: bool` instead of them."""

    @functools.wraps(command)
    def collected(**given: Any) -> Any:
        from evalkit.cli.progress import BarProgress
        from evalkit.jobs.job import Progress, RunOptions

        names = ("out", "limit", "batch_size", "device", "dtype", "seed", "keep", "weights", "threads", "compile")
        picked = {name: given.pop(name) for name in names}
        as_json = given.pop("as_json")
        progress = Progress() if as_json else BarProgress()
        options = RunOptions(**picked, command=typed(), progress=progress)
        return command(**given, options=options, as_json=as_json)

    for flag in reversed(_FLAGS):
        collected = flag(collected)
    return collected


def typed() -> tuple[str, ...]:
    """The command as it was typed, with the home directory shortened."""
    home = str(Path.home())
    return ("evalkit", *(each.replace(home, "~") for each in sys.argv[1:]))
