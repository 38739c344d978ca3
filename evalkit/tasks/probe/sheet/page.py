"""report.html of a measuring probe; one file, no script, the same run gives the same text."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from evalkit.pages.curves import CSS, STYLES
from evalkit.pages.html import run_page
from evalkit.pages.labels import metric_label
from evalkit.runs.store import Run
from evalkit.text import interval_text, number_text

LISTED = 50  # images that could not be read


@dataclass(frozen=True)
class Figure:
    """A figure (SVG) with its caption, and what it shows in words."""

    title: str
    about: str
    svg: str


@dataclass(frozen=True)
class Table:
    """A table of texts: the first cell of a row names it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Strip:
    """Images beside each other, with what is said below each; `name` is that of the row."""

    name: str
    images: Sequence[tuple[str | None, str]]


@dataclass(frozen=True)
class Sheet:
    """What such a page says beside the run's results.

    `said`: the answer, in sentences. `cautions`: what weakens it. `limits`: what it cannot say. `legend`: names of the
    figures' series in the order of their styles. `shown`: the metrics that the table of numbers lists [all].
    """

    eyebrow: str
    said: Sequence[str]
    limits: str
    cautions: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    legend: Sequence[str] = ()
    tables: Sequence[Table] = ()
    strips: Sequence[Strip] = ()
    strips_about: str = ""
    shown: Sequence[str] = ()


def sheet_page(run: Run, sheet: Sheet) -> str:
    """The page of a sealed run."""
    style = CSS + (package_files("evalkit.tasks.probe.sheet") / "page.css").read_text(encoding="utf-8")
    bad = run.samples.filter(run.samples["error"].is_valid()).select(["id", "error"]).to_pylist()
    content = {
        "record": run.record,
        "sheet": sheet,
        "rows": [_row(row) for row in run.results if row["metric"] in (sheet.shown or (row["metric"],))],
        "figures": [(each.title, each.about, Markup(each.svg)) for each in sheet.figures if each.svg],
        "legend": [(name, number % STYLES) for number, name in enumerate(sheet.legend)],
        "failed": bad[:LISTED],
        "more": max(len(bad) - LISTED, 0),
        "facts": _facts(run),
    }
    return run_page("evalkit.tasks.probe.sheet", content, style=style)


def embedded(file: Path, mime: str = "image/webp") -> str | None:
    """A file of the run as an address that a page may hold; None where it is gone."""
    if not file.is_file():
        return None
    return Markup(f"data:{mime};base64," + base64.b64encode(file.read_bytes()).decode())


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "label": metric_label(row["metric"]),
        "value": number_text(row["value"]) if row["status"] == "ok" else row["reason"],
        "ends": interval_text(row["low"], row["high"]) or "—",
        "unit": row["unit"],
        "n": row["n"],
        "method": row["ci_method"],
        "known": row["status"] == "ok",
    }


def _facts(run: Run) -> list[tuple[str, str]]:
    record = run.record
    data, protocol = record["data"], record["protocols"][0]
    found = [
        ("command", " ".join(record["command"])),
        ("protocol", f"{protocol['id']}, sha256 {protocol['sha256']}"),
        ("images", f"{data['name']}, {data['n']:,}, sha256 {data['digest']}"),
        ("made", f"{record['created']} by evalkit {record['evalkit']}"),
    ]
    return [(name, text) for name, text in found if text]
