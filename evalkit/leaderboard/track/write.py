"""A training's series as a page and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evalkit.leaderboard.track.points import Point, Track, step_text
from evalkit.pages.html import run_page
from evalkit.pages.labels import metric_label
from evalkit.pages.plane import Point as Dot
from evalkit.pages.plane import plane
from evalkit.runs.store import check_target, write_bytes
from evalkit.text import as_float, csv_cell, interval_text, number_text
from evalkit.version import __version__

PAGE, TABLE = "index.html", "track.csv"
COLUMNS = (
    *("metric", "dataset", "protocol", "unit", "n", "step", "system", "run", "value", "low", "high", "ci_method"),
    *("change", "change_low", "change_high", "change_method", "rank_best", "rank_worst", "maybe_best"),
)
STYLE = """
.joined { fill: none; stroke: var(--accent); stroke-width: 1.2; opacity: .45; }
.maybe { color: var(--best); font-weight: 600; }
.chart { max-width: 44rem; margin-bottom: 1rem; } .scroll { width: fit-content; max-width: 100%; } table { width: auto; }
"""


def write_track(tracks: Sequence[Track], folder: Path) -> Path:
    """Write index.html and track.csv into `folder`, over earlier ones; gives the page's path.

    Raises `EvalkitError` where the folder holds anything else or lies in a run.
    """
    runs = [point.entrant.path for track in tracks for point in track.points]
    check_target(folder, runs, "track", lambda: (folder / TABLE).is_file())
    write_bytes(folder / TABLE, csv_text(tracks).encode())
    content = {"series": [_shown(track) for track in tracks], "metric": metric_label(tracks[0].board.terms.metric)}
    page = run_page("evalkit.leaderboard.track", {**content, "version": __version__}, style=STYLE)
    write_bytes(folder / PAGE, page.encode())
    return folder / PAGE


def csv_text(tracks: Sequence[Track]) -> str:
    """A row for each checkpoint and data set."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for track in tracks:
        for point in track.points:
            row = _row(track, point)
            writer.writerow({k: csv_cell(v) for k, v in row.items()})
    return stream.getvalue()


def _row(track: Track, point: Point) -> dict[str, Any]:
    terms, figure, change = track.board.terms, point.standing.figure, point.change
    return {
        "metric": terms.metric,
        "dataset": terms.dataset,
        "protocol": terms.protocol,
        "unit": track.board.unit,
        "n": terms.n,
        "step": f"{point.step:.15g}",
        "system": point.entrant.name,
        "run": point.entrant.folder,
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "ci_method": figure.method,
        "change": change and change.value,
        "change_low": change and change.low,
        "change_high": change and change.high,
        "change_method": change and change.method,
        "rank_best": point.standing.best,
        "rank_worst": point.standing.worst,
        "maybe_best": int(point.maybe_best),
    }


def _shown(track: Track) -> dict[str, Any]:
    dots = [
        Dot(step_text(each.step), each.step, value, None, _bounds(each))
        for each in track.points
        if (value := as_float(each.standing.figure.value)) is not None
    ]
    unit = f", {track.board.unit}" if track.board.unit else ""
    label = metric_label(track.board.terms.metric)
    return {
        "title": track.title,
        "sentence": track.sentence,
        "better": track.board.better,
        "chart": Markup(plane("step", f"{label}{unit}", dots, joined=True)),
        "left_out": track.left_out,
        "rows": [
            {
                "step": step_text(each.step),
                "name": each.entrant.name,
                "value": number_text(each.standing.figure.value),
                "interval": interval_text(each.standing.figure.low, each.standing.figure.high) or "none",
                "method": each.standing.figure.method,
                "change": "" if each.change is None else number_text(each.change.value),
                "change_interval": "" if each.change is None else interval_text(each.change.low, each.change.high),
                "maybe": each.maybe_best,
            }
            for each in track.points
        ],
    }


def _bounds(point: Point) -> tuple[float, float] | None:
    figure = point.standing.figure
    return None if figure.low is None or figure.high is None else (figure.low, figure.high)
