"""report.html: one page over one or more sealed runs; one file, no network, readable without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pyarrow.compute as pc

from evalkit.runs.report.figures import Point, histogram, number_text, plane
from evalkit.runs.report.pictures import AMPLIFY, triple
from evalkit.runs.report.text_diff import differences, visible
from evalkit.runs.store import Run, write_bytes

WORST, TEXTS, FAILED = 12, 8, 50
SHAPES = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "lpips_alex": "LPIPS (alex)",
    "lpips_vgg": "LPIPS (VGG)",
    "cer_truth": "CER against the true text",
    "cer_original": "CER against the OCR of the original",
}


def write_report(runs: Sequence[Run], path: Path) -> Path:
    """Write the page over `runs` to `path` and give the path back; the same runs give the same bytes."""
    folder = package_files("evalkit.runs.report")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(number=number_text, visible=visible, sign=lambda b: "↑" if b == "higher" else "↓")
    template = environment.from_string((folder / "template.html.jinja").read_text(encoding="utf-8"))
    names = [run.record["model"]["name"] for run in runs]
    per_run = max(3, WORST // len(runs))
    page = template.render(
        style=(folder / "report.css").read_text(encoding="utf-8"),
        title=", ".join(names) if len(names) <= 4 else f"{len(names)} tokenizers",
        names=names,
        runs=runs,
        rows=_summary(runs),
        missing=_missing(runs),
        rate_plot=_rate_plot(runs),
        shapes=[(title, figure) for title, figure in ((t, _shape(m, t, runs)) for m, t in SHAPES.items()) if figure],
        worst=[(run.record["model"]["name"], _worst(run, per_run)) for run in runs],
        texts=[(run.record["model"]["name"], _texts(run)) for run in runs],
        failed=[(run.record["model"]["name"], *_failed(run)) for run in runs],
        amplify=AMPLIFY,
    )
    write_bytes(path, page.encode())
    return path


def _summary(runs: Sequence[Run]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for column, run in enumerate(runs):
        for result in run.results:
            if result["status"] == "ok":
                key = tuple(result[name] for name in ("protocol", "task", "dataset", "metric"))
                row = rows.setdefault(key, {**result, "cells": [None] * len(runs), "best": None})
                row["cells"][column] = result
    listed = list(rows.values())
    for row in listed:
        row["best"] = _clear_best(row)
    return listed


def _clear_best(row: dict[str, Any]) -> int | None:
    """The column that is better than every other beyond its interval, where there is one."""
    cells = [
        (i, c) for i, c in enumerate(row["cells"]) if c and isinstance(c["low"], float) and isinstance(c["high"], float)
    ]
    if len(cells) < 2 or len(cells) < sum(c is not None for c in row["cells"]):
        return None
    up = row["better"] == "higher"
    best, cell = (max if up else min)(cells, key=lambda pair: float(pair[1]["value"]))
    others = [c for i, c in cells if i != best]
    clear = all(cell["low"] > c["high"] if up else cell["high"] < c["low"] for c in others)
    return best if clear else None


def _missing(runs: Sequence[Run]) -> list[tuple[str, str]]:
    found = {(r["metric"], str(r["reason"])) for run in runs for r in run.results if r["status"] != "ok"}
    return sorted(found)


def _rate_plot(runs: Sequence[Run]) -> str:
    points = []
    for run in runs:
        by_metric: dict[str, dict[str, Any]] = {}
        for r in run.results:
            if r["status"] == "ok" and r["task"] == "reconstruction" and isinstance(r["value"], float):
                by_metric.setdefault(r["metric"], r)
        if "bpp" in by_metric and "psnr" in by_metric:
            x, y = by_metric["bpp"], by_metric["psnr"]
            points.append(Point(run.record["model"]["name"], x["value"], y["value"], _bounds(x), _bounds(y)))
    return plane("rate, bits a pixel", "PSNR, dB", points)


def _bounds(row: dict[str, Any]) -> tuple[float, float] | None:
    low, high = row["low"], row["high"]
    return (low, high) if isinstance(low, float) and isinstance(high, float) else None


def _shape(metric: str, title: str, runs: Sequence[Run]) -> str:
    series = []
    for run in runs:
        if metric in run.samples.column_names:
            first = run.record["protocols"][0]["id"]
            mine = run.samples.filter(pc.equal(run.samples["protocol"], first))
            values = mine[metric].drop_null().to_numpy()
            series.append((run.record["model"]["name"], np.asarray(values, np.float64)))
    return histogram(title, series)


def _worst(run: Run, most: int) -> list[dict[str, Any]]:
    chosen = [p for p in run.pictures if p["kind"] == "worst"][:most]
    return [t for t in (triple(run.path, p) for p in chosen) if t is not None]


def _texts(run: Run) -> list[dict[str, Any]]:
    if "text_reconstruction" not in run.samples.column_names:
        return []
    first = run.record["protocols"][0]["id"]
    keep = pc.and_(pc.equal(run.samples["protocol"], first), pc.is_valid(run.samples["text_reconstruction"]))
    columns = ["id", "text_truth", "text_original", "text_reconstruction", "cer_truth", "cer_original"]
    table = run.samples.filter(keep).select(columns)
    rows = table.sort_by([("cer_original", "descending"), ("id", "ascending")]).slice(0, TEXTS).to_pylist()
    for row in rows:
        wanted = row["text_truth"] if row["text_truth"] is not None else row["text_original"]
        row["reference"] = "true text" if row["text_truth"] is not None else "OCR of the original"
        row["pieces"] = differences(wanted or "", row["text_reconstruction"])
    return rows


def _failed(run: Run) -> tuple[list[dict[str, Any]], int]:
    first = run.record["protocols"][0]["id"]
    keep = pc.and_(pc.equal(run.samples["protocol"], first), pc.is_valid(run.samples["error"]))
    bad = run.samples.filter(keep).select(["id", "error"])
    return bad.slice(0, FAILED).to_pylist(), bad.num_rows
