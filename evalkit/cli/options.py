"""Flags that the verbs share, collected into one RunOptions."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from evalkit.cli.every import BEGAN
from evalkit.cli.numbers import MOST_BATCH, THREADS, Finite
from evalkit.images.hashing import REHASH

if TYPE_CHECKING:
    from evalkit.jobs.options import EngineOptions


class RunFolder(click.ParamType[Any]):
    """A folder, or an address of an object store: of `whole`, the copy of the run that is there, made now."""

    name = "path"

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The folder on this machine."""
        from evalkit.weights.object_stores import here, is_url

        if not is_url(value):
            return Path(value)
        if not self.whole:
            return here(value)
        from evalkit.runs.store import local_run

        return local_run(value)


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


Flag = Callable[[Callable[..., Any]], Callable[..., Any]]


def batch_size_flag(default: int | str = "auto") -> Flag:
    """`--batch-size N|auto`."""
    return click.option(
        "--batch-size", type=BatchSize(), default=default, show_default=True, help="Samples per forward pass."
    )


def device_flag() -> Flag:
    """`--device`."""
    return click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:0, mps.")


def dtype_flag(help: str | None = None) -> Flag:
    """`--dtype`, float32 where it is not given."""
    precisions, said = click.Choice(["float32", "bfloat16", "float16"]), "Precision of the networks."
    return click.option("--dtype", type=precisions, default="float32", show_default=help is None, help=help or said)


def weights_flag(whose: str = "the model") -> Flag:
    """`--weights`, whose meaning is that of `jobs.options.weights_by_name`."""
    said = f"Weights of {whose}: a file, NAME=FILE where there are several models, or a folder that holds them."
    return click.option("--weights", multiple=True, metavar="FILE|NAME=FILE|FOLDER", help=said)


def retry_flag() -> Flag:
    """`--retry-failed`."""
    return click.option(
        "--retry-failed", is_flag=True, help="Do again what failed, in a finished run too: its input may be back."
    )


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
_ENGINE_FLAGS = (
    click.option(
        "--engine",
        type=click.Choice(["inline", "local", "ray"]),
        help="This process, several of this machine, or Ray [default: inline].",
    ),
    click.option(
        "--address", metavar="HOST:PORT", help="Of a Ray cluster [default: RAY_ADDRESS, else one started here]."
    ),
    click.option("--workers", type=click.IntRange(1, 10_000), help="Workers [default: one per GPU, or one per CPU]."),
    click.option("--gpus-per-worker", type=Finite(min=0), help="0.5: two workers share a GPU [default: 1]."),
    click.option("--cpus-per-worker", type=click.IntRange(1, 1024), help="CPUs and threads of a worker."),
)
_FLAGS = (
    click.option("--out", type=RunFolder(), help="Run directory, or s3://… [default: runs/<task>-<model>-<hash>]."),
    click.option("--limit", type=click.IntRange(min=1), help="Only the first N samples."),
    batch_size_flag(),
    device_flag(),
    dtype_flag(
        "Precision of decoding, where float16 is safe [default: float32; of generators: bfloat16 on a GPU that has it]."
    ),
    click.option(
        "--seed", type=int, default=0, show_default=True, help="Of all that is drawn: images, decoders, bootstrap."
    ),
    click.option(
        "--keep",
        type=click.Choice(["none", "worst", "all"]),
        default="worst",
        show_default=True,
        help="Which images stay with the run.",
    ),
    weights_flag(),
    click.option("--compile", is_flag=True, help="Let torch compile the network: slow to start, then faster."),
    click.option("--threads", type=THREADS, default=2, show_default=True, help="Decoding threads."),
    *_ENGINE_FLAGS,
    REHASH_FLAG,
    retry_flag(),
    click.option("--json", "as_json", is_flag=True, help="Print results as JSON, and nothing else, on stdout."),
)


def engine_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags of engines alone; the command receives `engine: EngineOptions`."""

    def collected(**given: Any) -> Any:
        engine = _engine(given)
        return command(**given, engine=engine)

    return _flagged(command, collected, _ENGINE_FLAGS)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared flags; the command receives `options: RunOptions` and `as_json: bool` instead of them."""

    def collected(**given: Any) -> Any:
        from evalkit.cli.progress import BarProgress
        from evalkit.jobs.options import RunOptions
        from evalkit.jobs.progress import Progress

        names = (
            "out",
            "limit",
            "batch_size",
            "device",
            "dtype",
            "seed",
            "keep",
            "weights",
            "threads",
            "compile",
            "retry_failed",
        )
        picked = {name: given.pop(name) for name in names}
        as_json = given.pop("as_json")
        progress = Progress() if as_json else BarProgress()
        progress.since = click.get_current_context().meta.get(BEGAN)
        options = RunOptions(**picked, command=typed(), engine=_engine(given), progress=progress)
        return command(**given, options=options, as_json=as_json)

    return _flagged(command, collected, _FLAGS)


def _flagged(command: Callable[..., Any], collected: Callable[..., Any], flags: Sequence[Flag]) -> Callable[..., Any]:
    flagged: Callable[..., Any] = functools.wraps(command)(collected)
    for flag in reversed(flags):
        flagged = flag(flagged)
    return flagged


def _engine(given: dict[str, Any]) -> EngineOptions:
    """The engine's flags, taken out of `given`."""
    from evalkit.jobs.options import EngineOptions

    names = ("address", "workers", "gpus_per_worker", "cpus_per_worker")
    return EngineOptions(given.pop("engine"), **{name: given.pop(name) for name in names})


def listed(given: str | None) -> list[str]:
    """The names in a text with commas between.

    >>> listed("fid, kid,"), listed(None)
    (['fid', 'kid'], [])
    """
    return [each.strip() for each in (given or "").split(",") if each.strip()]


def typed() -> tuple[str, ...]:
    """The command as it was typed, with the home directory shortened."""
    home = str(Path.home())
    return ("evalkit", *(each.replace(home, "~") for each in sys.argv[1:]))
