"""report.html of a scoring: every value with its interval, and the images that moved the distance; one file, no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from typing import Any

import numpy as np
import pyarrow.compute as pc
from markupsafe import Markup

from evalkit.encoders.spectrum import RINGS
from evalkit.jsonio import parse_json
from evalkit.metrics.registry import METRICS
from evalkit.pages.curves import CSS, Dot, chart
from evalkit.pages.html import run_page
from evalkit.pages.images import Shown, read_pixels, shown
from evalkit.pages.short import answered
from evalkit.runs.store import Run
from evalkit.tasks.score.exhibits import coordinates
from evalkit.tasks.score.figures import FIGURES
from evalkit.tasks.score.map import Pin, score_map
from evalkit.tasks.score.rows import CONTRIBUTION, IMAGES, REFERENCE
from evalkit.text import as_float, interval_text, number_text

SIDE, FAILED = 192, 50
CLASSES = 1_000  # classes that the page lists
TITLES = {
    "farthest": "Images that carry the distance",
    "nearest": "Images that hold the set near the reference",
    "map-images": "Images all over the map",
    "map-reference": "Reference images all over the map",
}
SAID = {
    "farthest": "The number is by how much the first Fréchet distance falls, to first order, where the image is left out.",
    "nearest": "Without these the distance grows, to first order by the number below each.",
    "map-images": "They lie far from each other on the map.",
    "map-reference": "They lie far from each other on the map.",
}


def page(run: Run) -> str:
    """report.html of a sealed scoring; the same run gives the same text."""
    style = (package_files("evalkit.tasks.score") / "page.css").read_text(encoding="utf-8") + CSS
    return run_page("evalkit.tasks.score", _content(run), style=style)


def _content(run: Run) -> dict[str, Any]:
    bad = run.samples.filter(run.samples["error"].is_valid())
    drawn = _drawn(run)
    galleries = _galleries(run)
    rows = [_row(row) for row in run.results if row["status"] == "ok" and row["better"] != "none"]
    return {
        "record": run.record,
        "answer": answered(rows),
        "rows": rows,
        "missing": [_row(row) for row in run.results if row["status"] != "ok"],
        "galleries": galleries,
        "map": _map(run, galleries),
        "spectra": _spectra(drawn.get("spectra", {})),
        "classes": [_class(each) for each in drawn.get("classes", [])[:CLASSES]],
        "all_classes": len(drawn.get("classes", [])),
        "failed": bad.num_rows,
        "errors": bad.slice(0, FAILED).select(["side", "id", "error"]).to_pylist(),
        "facts": _facts(run),
    }


def _drawn(run: Run) -> Mapping[str, Any]:
    """What statistics/figures.json holds; runs of before have none."""
    path = run.path / FIGURES
    found = parse_json(path.read_bytes(), str(path)) if path.is_file() else {}
    return found if isinstance(found, Mapping) else {}


def _class(each: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table of classes: for each column a number to order by and a text."""
    counts = [(each[name], f"{each[name]:,}") for name in ("n", "reference_n")]
    values = [each[name] for name in ("distance", "diversity", "reference_diversity")]
    texts = [("", "") if value is None else (value, number_text(as_float(value))) for value in values]
    return {"class": each["class"], "numbers": [*counts, *texts]}


def _spectra(spectra: Mapping[str, Any]) -> Markup:
    """Mean spectra of both sets, each ring with its interval."""
    frequencies = ((np.arange(RINGS) + 0.5) / (2 * RINGS)).tolist()
    series = {
        side: [
            Dot(x, y, low, high, f"{side}: {y:.3g} ({low:.3g} to {high:.3g}) at {x:.3g} cycles per pixel")
            for x, y, low, high in zip(frequencies, each["mean"], each["low"], each["high"], strict=True)
        ]
        for side, each in spectra.items()
    }
    styles = {IMAGES: 0, REFERENCE: 1}
    return Markup(chart("cycles per pixel", "log10 of power", series, styles, line=True, reach=None, dots=True))


def _map(run: Run, galleries: Sequence[Gallery]) -> Markup:
    """Both sets on the reference's main axes."""
    tables = {side: run.samples.filter(pc.equal(run.samples["side"], side)) for side in (IMAGES, REFERENCE)}
    points = {side: coordinates(table) for side, table in tables.items() if table.num_rows}
    pins = []
    for each in (entry for gallery in galleries for entry in gallery.entries):
        if each["position"] < len(points.get(each["side"], ())):
            x, y = points[each["side"]][each["position"]]
            pins.append(Pin(float(x), float(y), each["side"], each["id"], each["target"]))
    return Markup(score_map(points, pins))


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


@dataclass(frozen=True)
class Gallery:
    """Shown images under one title."""

    title: str
    said: str
    entries: Sequence[dict[str, Any]]


def _galleries(run: Run) -> list[Gallery]:
    entries = run.record.get("shown") or []
    found = []
    for which, title in TITLES.items():
        mine = [
            {
                "side": IMAGES,
                **entry,
                "text": "" if which.startswith("map") else number_text(float(entry[CONTRIBUTION])),
                "target": f"{which}-{rank:02d}",
                "shown": _thumbnail(run, entry),
            }
            for rank, entry in enumerate(each for each in entries if each["which"] == which)
        ]
        if mine:
            found.append(Gallery(title, SAID[which], mine))
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
        ("from the cache", ", ".join(f"{n:,} {side}" for side, n in record.get("recalled", {}).items())),
        ("time", f"{timings['images_per_second']} images per second; bound by {timings['bound_by']}"),
        ("made", f"{record['created']} by evalkit {record['evalkit']}"),
    ]
    return [(name, text) for name, text in found if text]


def _said(part: dict[str, Any]) -> str:
    return f"{part['name']}, n = {part['n']:,}, sha256 {part['digest'][:16]}"
