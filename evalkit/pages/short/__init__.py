"""report.html of a run that is a table of values, some figures, and what failed; one file, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from evalkit.metrics.registry import METRICS
from evalkit.pages.charts import Chart
from evalkit.pages.html import run_page
from evalkit.runs.store import Run
from evalkit.text import as_float, interval_text, number_text

FAILED = 50
FIRST = 3  # values that the first sentence states


def values_page(run: Run, kind: str, said: str, charts: Sequence[Chart | None] = ()) -> str:
    """The page of a sealed run of a `kind`; `said` is what a reader must know of its numbers. None among `charts`: not there."""
    bad = run.samples.filter(pc.is_valid(run.samples["error"]))
    rows = [_row(row) for row in run.results if row["status"] == "ok" and row["better"] != "none"]
    content = {
        "record": run.record,
        "kind": kind,
        "said": said,
        "answer": answered(rows),
        "rows": rows,
        "missing": [_row(row) for row in run.results if row["status"] != "ok"],
        "charts": [each for each in charts if each is not None],
        "failed": bad.num_rows,
        "errors": bad.slice(0, FAILED).select(["id", "error"]).to_pylist(),
        "facts": _facts(run.record),
    }
    return run_page("evalkit.pages.short", content)


def answered(rows: Sequence[Mapping[str, str]]) -> str:
    """The first values with their intervals, for the top of a page; rows as the table shows them."""
    values = (f"{row['label']} {row['text']} ({row['interval'] or 'no interval'})" for row in rows[:FIRST])
    return ", ".join(values) or "No value could be stated"


def _row(row: dict[str, Any]) -> dict[str, Any]:
    metric = METRICS.find(row["metric"])
    low, high = as_float(row["low"]), as_float(row["high"])
    known = row["status"] == "ok"
    return {
        **row,
        "label": metric.label if metric else row["metric"],
        "title": metric.title if metric else "",
        "text": f"{number_text(as_float(row['value']))} {row['unit']}".strip() if known else "",
        "interval": "" if low is None or high is None else interval_text(low, high),
    }


def _facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    model, timings = record["model"], record["timings"]
    found = [("command", " ".join(record["command"])), ("weights", str(model.get("weights_sha256") or ""))]
    found += [(name, str(model[name])) for name in ("tokenizer", "dtype") if model.get(name)]
    for name in ("data", "conditions", "reference"):
        if name in record:
            part = record[name]
            found.append((name, f"{part['name']}, n = {part['n']:,}, sha256 {str(part['digest'])[:16]}"))
    rate = timings["images_per_second"]
    found.append(("time", f"{rate} images per second; bound by {timings['bound_by']}"))
    found.append(("made", f"{record['created']} by evalkit {record['evalkit']}"))
    return [(name, text) for name, text in found if text]
