"""Runs as tables on the terminal, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pyarrow.compute as pc
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evalkit.cli.published import published_table
from evalkit.cli.screen import Screen
from evalkit.metrics.registry import METRICS
from evalkit.pages.summary import is_of_a_part
from evalkit.protocols import differences, load_protocol
from evalkit.runs.store import Run
from evalkit.text import visible

MOST_FAILED = 20


def show_json(runs: Sequence[Run]) -> None:
    """One JSON object with every run's results, its folder and its failed samples."""
    rows = [
        {
            "run": run.path.as_posix(),
            "model": run.record["model"]["name"],
            "results": run.results,
            "failed": [{"id": each["id"], "reason": each["error"]} for each in failed_samples([run])],
        }
        for run in runs
    ]
    click.echo(json.dumps({"runs": rows}, indent=1, ensure_ascii=False))


def show_runs(runs: Sequence[Run], page: Path | None, *, full: bool = False, published: bool = False) -> None:
    """One comparison table, what could not be computed and why, failed samples, protocol differences, and where the report is."""
    console = Screen()
    console.print(comparison(runs, full=full))
    reasons: dict[str, str] = {}
    for run in runs:
        for row in run.results:
            if row["status"] == "unavailable":
                reasons.setdefault(str(row["reason"]), f"{row['metric']}")
    for reason, metric in reasons.items():
        console.print(Text(visible(f"{metric} is unavailable: {reason}"), style="yellow"))
    failed = failed_samples(runs)
    _show_failed(console, failed)
    for run in runs:
        unread = [row for row in run.samples["text_error"].to_pylist() if row]
        if unread:
            name = run.record["model"]["name"]
            console.print(
                Text(visible(f"{name}: {len(unread)} texts could not be read, the first: {unread[0]}"), style="yellow")
            )
    _show_differences(console, runs)
    if published:
        table = published_table(runs)
        console.print(table or Text("nothing is published of these models that evalkit could read in a source"))
    if page is not None:
        console.print()
        console.print(Text(visible(f"report: {page}"), style="bold"))


def show_generated(run: Run) -> None:
    """How many images were made, which requests failed and why, how fast, and where everything lies."""
    console = Screen()
    failed = failed_samples([run])
    timings = run.record["timings"]
    made = run.samples.num_rows - len(failed)
    spent = run.record.get("seconds_per_image", timings.get("seconds_per_image"))
    pace = f", {spent:.2f} s each" if spent is not None else ""
    console.print(
        Text(visible(f"{made} images of {run.record['data']['name']}{pace}: {run.path}/images"), style="bold")
    )
    _show_failed(console, failed)
    if "acceleration" in run.record:
        from evalkit.tasks.generate.acceleration import sentence  # imports torch

        console.print(Text(visible(sentence(run.record["acceleration"]))))
    console.print(Text(visible(f"contact sheet: {run.path}/report.html")))
    console.print(Text(visible(f"manifest: {run.path}/manifest.jsonl")))


def comparison(runs: Sequence[Run], *, full: bool = False) -> Table:
    """Rows are (task, data, metric, protocol); one column a model with value and 95 % interval.

    Metrics that say much the same as another wait for `full`; the report and results.json always hold all.
    """
    title = "values, and their 95 % intervals below" + ("" if full else "; more metrics in the report, or with --full")
    table = Table(title=title, title_style="dim", title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    several = len({row["protocol"] for run in runs for row in run.results}) > 1
    for heading in ("metric", *(["protocol"] if several else [])):
        table.add_column(heading, no_wrap=True)
    for run in runs:
        table.add_column(Text(visible(run.record["model"]["name"])), justify="right", no_wrap=True)
    before = ""
    for (_, dataset, metric, protocol), by_run in _cells(runs, full).items():
        part = visible(dataset)
        if part != before:
            if before:
                table.add_section()
            table.add_row(Text(part, style="bold"))
            before = part
        first = next(iter(by_run.values()))
        arrow = {"higher": " ↑", "lower": " ↓"}.get(first["better"], "")
        unit = f" {first['unit']}" if first["unit"] else ""
        table.add_row(
            Text(visible(f"{metric}{unit}{arrow}")),
            *([Text(visible(protocol))] if several else []),
            *(_cell(by_run.get(column)) for column in range(len(runs))),
        )
    return table


def _waits(metric: str) -> bool:
    """Whether a metric says much the same as another, so that short tables leave it out."""
    found = METRICS.find(metric)
    return found is not None and "full" in found.shown


def _cells(runs: Sequence[Run], full: bool) -> dict[tuple[str, ...], dict[int, dict[str, Any]]]:
    """Result rows by (task, data set, metric, protocol) and column, those of one data set together."""
    cells: dict[tuple[str, ...], dict[int, dict[str, Any]]] = {}
    for column, run in enumerate(runs):
        for row in run.results:
            if row["status"] == "ok" and (full or not (_waits(row["metric"]) or is_of_a_part(row))):
                key = (row["task"], row["dataset"], row["metric"], row["protocol"])
                cells.setdefault(key, {})[column] = row
    parts = list(dict.fromkeys(key[:2] for key in cells))
    metrics = list(dict.fromkeys(key[2] for key in cells))
    return dict(sorted(cells.items(), key=lambda item: (parts.index(item[0][:2]), metrics.index(item[0][2]))))


def failed_samples(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """id and error of every sample that failed, once each, in order."""
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        bad = run.samples.filter(pc.is_valid(run.samples["error"])).select(["id", "error"])
        for row in bad.to_pylist():
            found.setdefault(row["id"], row)
    return list(found.values())


def _show_failed(console: Console, failed: Sequence[dict[str, Any]]) -> None:
    if not failed:
        return
    console.print(Text(f"\n{len(failed)} samples failed:", style="red"))
    for row in failed[:MOST_FAILED]:
        console.print(Text(f"  {visible(row['id'])}: {visible(row['error'])}"))
    if len(failed) > MOST_FAILED:
        console.print(Text(f"  … and {len(failed) - MOST_FAILED} more, in samples.parquet (column error)"))


def _cell(row: dict[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "—"
    if isinstance(row["value"], str):
        return str(row["value"])
    if not isinstance(row["low"], float) or not isinstance(row["high"], float):
        return _number(row["value"])
    return f"{_number(row['value'])}\n[dim]{_number(row['low'])} to {_number(row['high'])}[/dim]"


def _number(value: float) -> str:
    size = abs(value)
    if 0 < size < 0.001:
        return f"{value:.2g}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def _show_differences(console: Console, runs: Sequence[Run]) -> None:
    ids = list(dict.fromkeys(row["protocol"] for run in runs for row in run.results))
    for other in ids[1:]:
        a, b = load_protocol(ids[0]), load_protocol(other)
        table = Table(title=f"{a.id} and {b.id} differ in", title_justify="left", header_style="bold")
        for heading in ("rule", a.id, b.id):
            table.add_column(heading, overflow="fold")
        for row in differences(a, b):
            if not row[0].startswith(("input.sizes.", "input.ranges.")):
                table.add_row(*row)
        console.print(table)
        for quirk in b.quirks:
            console.print(Text(f"· {quirk.name} (moves {', '.join(quirk.moves)}): {quirk.text}"), style="dim")
