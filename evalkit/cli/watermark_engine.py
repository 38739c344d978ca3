"""Flags of the engine that looks for the marks of a key ring, shared by scan, serve and audit."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.numbers import THREADS, Finite
from evalkit.cli.options import device_flag, dtype_flag, weights_flag

if TYPE_CHECKING:
    from evalkit.watermark.service.engine import Settings

USUAL = 2**25  # pixels of an image
LOADED, EACH = 0.8e9, 16  # bytes that libraries and networks take, and that a pixel takes while its image is edited


def memory_of(pixels: int) -> float:
    """Bytes that a process may take where images have up to `pixels`; measured with scan and audit."""
    return LOADED + EACH * pixels


def _told(context: click.Context, option: click.Parameter, pixels: int) -> int:
    if pixels > USUAL:
        click.echo(
            f"images of {pixels:,} pixels take up to {memory_of(pixels) / 1e9:.1f} GB of memory. "
            f"The default of {USUAL:,} takes {memory_of(USUAL) / 1e9:.1f} GB",
            err=True,
        )
    return pixels


_FLAGS = (
    click.option(
        "--key-ring", "ring", type=click.Path(path_type=Path), required=True, metavar="RING",
        help="Of `evalkit watermark ring`.",
    ),
    click.option(
        "--alpha", type=Finite(0, 1, min_open=True), default=1e-6, show_default=True,
        help="At most this share of unmarked images is called marked, over all keys.",
    ),
    click.option("--cache", metavar="FILE", help="Codes of known images [default: the user's]."),
    click.option("--no-cache", is_flag=True, help="Encode every image anew, and keep no codes."),
    click.option("--no-c2pa", is_flag=True, help="Read no C2PA manifests."),
    click.option(
        "--c2pa-anchors", "anchors", type=click.Path(path_type=Path), metavar="PEM", help="Authorities to trust."
    ),
    click.option(
        "--most-pixels", type=click.IntRange(1, 2**31), default=USUAL, show_default=True, callback=_told,
        help="Of an image; larger ones are not decoded. Beyond the default the memory that they need is said.",
    ),
    click.option("--threads", type=THREADS, default=2, show_default=True, help="Decoding threads."),
    device_flag(),
    dtype_flag(),
    weights_flag("the tokenizers"),
)  # fmt: skip


def engine_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of the engine; the command receives `ring: Path` and `settings: Settings` instead of them."""

    @functools.wraps(command)
    def collected(**given: Any) -> Any:
        names = (
            *(
                "alpha",
                "cache",
                "no_cache",
                "no_c2pa",
                "anchors",
                "most_pixels",
                "threads",
                "device",
                "dtype",
                "weights",
            ),
        )
        return command(**{name: value for name, value in given.items() if name not in names}, settings=_settings(given))

    flagged: Callable[..., Any] = collected
    for flag in reversed(_FLAGS):
        flagged = flag(flagged)
    return flagged


def _settings(given: dict[str, Any]) -> Settings:
    from evalkit.errors import EvalkitError
    from evalkit.watermark.detection.worker import read_manifests
    from evalkit.watermark.service.bench import Models
    from evalkit.watermark.service.engine import Settings

    if given["cache"] is not None and given["no_cache"]:
        raise EvalkitError("--cache and --no-cache contradict each other; leave out one of them")
    models = Models(given["device"], given["dtype"], tuple(given["weights"]))
    cache = ":memory:" if given["no_cache"] else given["cache"]
    anchors = None if given["anchors"] is None else read_manifests(str(given["anchors"])).anchors
    numbers = (given["threads"], given["most_pixels"])
    return Settings(given["alpha"], models, cache, *numbers, c2pa=not given["no_c2pa"], anchors=anchors)
