"""`evalkit plan`: what a command will cost, before it is typed in full."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.errors import EvalkitError
from evalkit.jsonio import read_json

if TYPE_CHECKING:
    from evalkit.jobs.forecast import Forecast, Pilot

SIZES = (10**4, 10**6, 10**8)
FIRST, FACTOR, MOST = 16, 3, 4096  # images of the pilots
WATCHED = """import atexit, pathlib, sys
from evalkit.cli import main
from evalkit.peak import process_peak
told = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: told.write_text(str(process_peak(children=True) or 0)))
main()
"""
VERBS = ("tokenizer", "generate", "score", "probe", "watermark")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--size", "sizes", type=click.IntRange(1), multiple=True, help="Images [default: 1e4, 1e6, 1e8].")
@click.option("--seconds", type=click.IntRange(1, 3600), default=20, show_default=True, help="Of the longest pilot.")
@click.option(
    "--workers", type=click.IntRange(1, 100_000), default=1, show_default=True, help="Workers of the real run."
)
@click.option(
    "--rate",
    "rates",
    multiple=True,
    metavar="STAGE=IMAGES_PER_SECOND",
    help="What another device does, such as features=2300.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the forecast as JSON, and nothing else, on stdout.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def plan(
    sizes: tuple[int, ...], seconds: int, workers: int, rates: tuple[str, ...], as_json: bool, command: tuple[str, ...]
) -> None:
    """Run COMMAND on few images, and say what it costs on many: time, memory, disk, GPU hours, and its bound.

    \b
    evalkit plan tokenizer --model llamagen-vq16 --data PHOTOS
    evalkit plan --size 50000 --workers 8 tokenizer --model llamagen-vq16 --data PHOTOS
    evalkit plan --size 50000 --rate features=2300 score --images A --reference B --metrics fid

    Pilots run here, in a folder that is removed. COMMAND is typed without --limit and --out.
    """
    from evalkit.jobs.forecast import Machines, forecast, uncertainty

    pilots = _pilots(command, seconds)
    found = forecast(pilots, sorted(sizes or SIZES), Machines(workers, _rates(rates)))
    if as_json:
        doubt = {"share_of_time": uncertainty(pilots), "load": _load(), "cpus": os.cpu_count()}
        told = {"pilots": [_said(each) for each in pilots], "forecast": [_said(each) for each in found]}
        click.echo(json.dumps({**told, "uncertain": doubt}))
    else:
        _show(pilots, found)
        click.echo("\n".join(_doubts(pilots, found[-1].n, uncertainty(pilots))))


def _pilots(command: Sequence[str], seconds: int) -> list[Pilot]:
    """Runs of growing size, until one takes `seconds` or all of the data."""
    if command[0] not in VERBS:
        raise EvalkitError(f"evalkit plan knows no cost of {command[0]!r}. Give one of {', '.join(VERBS)}")
    if {"--limit", "--out"} & {each.partition("=")[0] for each in command}:
        raise EvalkitError("plan chooses --limit and --out itself. Leave them out of the command, and give --size")
    found: list[Pilot] = []
    with tempfile.TemporaryDirectory(prefix="evalkit-plan-") as folder:
        n = FIRST
        measured(command, 1, Path(folder) / "warm")  # so that no pilot pays for caches that are empty
        while n <= MOST:
            found.append(measured(command, n, Path(folder) / str(n)))
            if found[-1].n < n or (len(found) > 1 and found[-1].wall > seconds):
                break
            n *= FACTOR
        if len(found) == 1 and found[0].n > 1:
            found.append(measured(command, found[0].n // 2, Path(folder) / "half"))
    return found


def measured(command: Sequence[str], limit: int, out: Path) -> Pilot:
    """One run of the command on `limit` images, by a process of its own that knows nothing of images it saw before."""
    from evalkit.jobs.forecast import SQUARE, Pilot

    told = out.with_name(f"{out.name}.peak")
    words = [sys.executable, "-c", WATCHED, str(told), *command, "--limit", str(limit), "--out", str(out)]
    fresh = {**os.environ, "EVALKIT_KEPT": str(out.with_name(f"kept-{out.name}")), "EVALKIT_EVIDENCE": ""}
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, stdout=said, stderr=said, env=fresh)  # no pilot knows what another one saw
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        said.seek(0)
        last = (said.read().decode("utf-8", "replace").strip().splitlines() or [""])[-1]
    records = [read_json(each) for each in sorted(out.parent.glob(f"{out.name}*/**/record.json"))]
    if process.returncode not in (0, 1) or not records:
        raise EvalkitError(f"{shlex.join(['evalkit', *command])} does not run ({last}). Make it run with --limit 1")
    stages: dict[str, float] = {}
    for record in records:
        for name, value in record["timings"]["seconds"].items():
            stages[name] = stages.get(name, 0.0) + value
    files = [each for each in out.parent.glob(f"{out.name}*/**/*") if each.is_file()]
    rows = [each for each in files if each.suffix in (".parquet", ".npz")]
    main = records[-1]
    return Pilot(
        _images(main, limit),
        wall,
        stages,
        int(told.read_text()),
        sum(each.stat().st_size for each in files),
        usage.ru_utime + usage.ru_stime,
        sum(each.stat().st_size for each in rows),
        len(files) - len(rows),
        main["environment"]["gpu"] is not None,
        any(name.startswith(SQUARE) for name in main["plan"]["metrics"]),
    )


def _images(record: dict[str, Any], limit: int) -> int:
    """Images that the run had; fewer than asked for where the data, or the prompts, have no more."""
    plan = record["plan"]
    found = [part["n"] for name, part in plan["inputs"].items() if name in ("data", "images")]
    made = plan["parameters"].get("n", limit)
    return min([limit, int(made), *map(int, found)])


def _rates(given: Sequence[str]) -> dict[str, float]:
    found = {}
    for each in given:
        stage, _, rate = each.partition("=")
        try:
            found[stage] = float(rate)
        except ValueError:
            found[stage] = 0.0
        if not found[stage] > 0:
            raise EvalkitError(f"--rate {each} is no rate. Give STAGE=IMAGES_PER_SECOND, such as features=2300")
    return found


def _said(each: Pilot | Forecast) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(each)


def _load() -> float | None:
    """Processes that wanted a CPU in the last minute, None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _doubts(pilots: Sequence[Pilot], most: int, share: float | None) -> list[str]:
    """What is uncertain in the forecast, in words."""
    last = pilots[-1]
    told = "unknown, for want of a third pilot; give data with more images, or more --seconds"
    if share is not None:
        told = f"about {max(share, 0.01):.0%}, by which the pilot of {last.n} differs from the forecast by the two before it"
    said = [f"uncertain: the time, by {told}"]
    if most > 1000 * last.n:
        said.append(
            f"{most:,} images are {most // last.n:,} times the largest pilot: what only large runs show is missing"
        )
    load, cpus = _load(), os.cpu_count() or 1
    if load is not None and load > 1.5 * cpus:
        said.append(
            f"others used this machine (load {load:.0f} on {cpus} CPUs): idle it is faster; CPU hours hold for both"
        )
    return said


def _show(pilots: Sequence[Pilot], found: Sequence[Forecast]) -> None:
    from rich import box
    from rich.table import Table

    from evalkit.cli.screen import Screen
    from evalkit.jobs.forecast import bytes_text, duration_text
    from evalkit.jobs.timers import advice

    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("images", "time", "memory", "disk", "CPU h", "GPU h"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("bound by")
    for each in found:
        share = each.stages.get(each.bound, 0.0) / each.seconds if each.seconds else 0.0
        hours = f"{each.gpu_hours:,.1f}" if each.gpu_hours else "—"
        sizes = (bytes_text(each.memory), bytes_text(each.disk))
        cells = (duration_text(each.seconds), *sizes, f"{each.cpu_hours:,.2f}", hours)
        table.add_row(f"{each.n:,}", *cells, f"{each.bound} ({share:.0%})")
    console = Screen()
    console.print(table)
    measured = ", ".join(f"{each.n} in {duration_text(each.wall)}" for each in pilots)
    console.print(f"measured here: {measured}", style="dim", highlight=False)
    console.print(f"to be faster at {found[-1].n:,}: {advice(found[-1].bound)}", highlight=False, soft_wrap=True)
