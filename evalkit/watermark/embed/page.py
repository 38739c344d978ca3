"""report.html of images marked afterwards: before and after, and what it cost; one file, no network."""

from __future__ import annotations

import base64
import math
from typing import Any

import pyarrow.compute as pc
from markupsafe import Markup

from evalkit.jobs.spec import Spec
from evalkit.pages.html import run_page
from evalkit.pages.labels import metric_label
from evalkit.runs.store import Run
from evalkit.watermark.embed.worker import BOOST

FAILED = 50
FOUND = 1e-3  # the alpha of `detect`
STRIP = ".strip{width:100%;max-width:64rem;image-rendering:pixelated}"


def page(run: Run, spec: Spec) -> str:
    """report.html of a sealed run; the same run gives the same text."""
    bad = run.samples.filter(pc.is_valid(run.samples["error"]))
    found, looked = found_as_they_are(run)
    content = {
        "found": found,
        "looked": looked,
        "at_most": f"{FOUND:g}",
        "record": run.record,
        "results": [{**row, "words": metric_label(row["metric"])} for row in run.results],
        "strips": _strips(run),
        "marked": run.samples.num_rows - bad.num_rows,
        "failed": bad.num_rows,
        "side": pc.max(run.samples["side"]).as_py(),
        "errors": bad[:FAILED].to_pylist(),
        "boost": BOOST,
        "by_pixels": spec.parameters["embedding"].get("by") == "pixels",
        "facts": _facts(run, spec),
    }
    return run_page("evalkit.watermark.embed", content, style=STRIP)


def found_as_they_are(run: Run) -> tuple[int, int]:
    """How many marked images are found before any edit, by a p of at most `FOUND`, and of how many."""
    logs = run.samples["log10_p"].drop_null()
    return int(pc.sum(pc.less_equal(logs, math.log10(FOUND))).as_py() or 0), len(logs)


def _strips(run: Run) -> list[dict[str, Any]]:
    found = []
    for file in sorted((run.path / "strips").glob("*.png")):
        row = run.samples.slice(int(file.stem), 1).to_pylist()[0]
        data = Markup("data:image/png;base64," + base64.b64encode(file.read_bytes()).decode())
        found.append({**row, "data": data})
    return found


def _facts(run: Run, spec: Spec) -> list[tuple[str, str]]:
    said, tokenizer = {**spec.parameters["mark"], **spec.parameters["embedding"]}, spec.models["tokenizer"]
    found = [
        ("command", " ".join(run.record["command"])),
        ("tokenizer", f"{tokenizer.name}@{tokenizer.sha256 or 'none'}"),
        *((name, str(value)) for name, value in said.items() if value is not None),
        ("device", str(run.record["model"]["device"])),
        ("time", f"{run.record['timings']['wall_seconds']} s; bound by {run.record['timings']['bound_by']}"),
        ("made", f"{run.record['created']} by evalkit {run.record['evalkit']}"),
    ]
    return [(name, text) for name, text in found if text]
