"""report.html of a scoring: every value with its interval, and the images that moved the distance; one file, no network."""

from __future__ import annotations

from importlib.resources import files as package_files
from typing import Any

from evalkit.metrics.registry import METRICS
from evalkit.pages.html import run_page
from evalkit.pages.pictures import Shown, read_pixels, shown
from evalkit.runs.store import Run
from evalkit.tasks.score.rows import CONTRIBUTION
from evalkit.text import as_float, interval_text, number_text

SIDE, FAILED = 192, 50
TITLES = {
    "farthest": "Images that carry the distance",
    "nearest": "Images that hold the set near the reference",
}


def page(run: Run) -> str:
    """report.html of a sealed scoring; the same run gives the same text."""
    style = (package_files("evalkit.tasks.score") / "page.css").read_text(encoding="utf-8")
    return run_page("evalkit.tasks.score", _content(run), style=style)


def _content(run: Run) -> dict[str, Any]:
    bad = run.samples.filter(run.samples["error"].is_valid())
    return {
        "record": run.record,
        "rows": [_row(row) for row in run.results if row["status"] == "ok" and row["better"] != "none"],
        "missing": [_row(row) for row in run.results if row["status"] != "ok"],
        "galleries": _galleries(run),
        "failed": bad.num_rows,
        "errors": bad.slice(0, FAILED).select(["side", "id", "error"]).to_pylist(),
        "facts": _facts(run),
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    metric = METRICS.find(row["metric"])
    known = row["status"] == "ok"
    low, high = row["low"], row["high"]
    return {
        **row,
        "label": metric.label if metric else row["metric"],
        "text": number_text(as_float(row["value"])) if known else "",
        "interval": interval_text(as_float(low), as_float(high)) if low is not None and high is not None else "",
    }


def _galleries(run: Run) -> list[tuple[str, list[dict[str, Any]]]]:
    entries = run.record.get("shown") or []
    found = []
    for which, title in TITLES.items():
        mine = [
            {**entry, "text": number_text(float(entry[CONTRIBUTION])), "shown": _thumbnail(run, entry)}
            for entry in entries
            if entry["which"] == which
        ]
        if mine:
            found.append((title, mine))
    return found


def _thumbnail(run: Run, entry: dict[str, Any]) -> Shown | None:
    pixels = read_pixels(run.path, str(entry["file"]))
    return None if pixels is None else shown(pixels, SIDE)


def _facts(run: Run) -> list[tuple[str, str]]:
    record = run.record
    protocol, reference, prompts = record["protocols"][0], record.get("reference"), record.get("prompts")
    weights = ", ".join(f"{name} {str(sha256)[:12]}" for name, sha256 in sorted(record["encoders"].items()))
    timings = record["timings"]
    found = [
        ("command", " ".join(record["command"])),
        ("protocol", f"{protocol['id']} ({protocol['title']}), sha256 {protocol['sha256'][:16]}"),
        ("images", _said(record["data"])),
        ("reference", _said(reference) if reference else ""),
        ("prompts", _said(prompts) if prompts else ""),
        ("networks", weights),
        ("time", f"{timings['images_per_second']} images per second; bound by {timings['bound_by']}"),
        ("made", f"{record['created']} by evalkit {record['evalkit']}"),
    ]
    return [(name, text) for name, text in found if text]


def _said(part: dict[str, Any]) -> str:
    return f"{part['name']}, n = {part['n']:,}, sha256 {part['digest'][:16]}"
