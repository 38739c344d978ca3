"""report.html of a generation: a contact sheet with what each image was asked to be; one file, no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup
from PIL import Image

from evalkit.pages.html import run_page
from evalkit.pages.images import read_pixels
from evalkit.runs.store import Run
from evalkit.tasks.generate.acceleration import sentence

SHOWN, SIDE, FAILED = 96, 192, 50


def page(run: Run) -> str:
    """report.html of a sealed generation; the same run gives the same text."""
    style = (package_files("evalkit.tasks.generate") / "page.css").read_text(encoding="utf-8")
    content = {"record": run.record, "facts": _facts(run), **_content(run)}
    return run_page("evalkit.tasks.generate", content, style=style)


def _content(run: Run) -> dict[str, Any]:
    good = run.samples.filter(pc.is_null(run.samples["error"]))
    bad = run.samples.filter(pc.is_valid(run.samples["error"]))
    step = max(1, good.num_rows // SHOWN)
    rows = good.take(pa.array(range(0, good.num_rows, step)[:SHOWN], pa.int64())).to_pylist()
    images = [{**row, "data": _thumbnail(run.path, str(row["file"]))} for row in rows]
    return {"pictures": images, "made": good.num_rows, "failed": bad.num_rows, "errors": bad[:FAILED].to_pylist()}


def _settings(sampler: Mapping[str, Any]) -> str:
    """The settings that are known, in words; those of guidance under its name."""
    flat: dict[str, Any] = {}
    for name, value in sampler.items():
        within = value.items() if isinstance(value, Mapping) else [("", value)]
        flat |= {f"{name} {inner}".strip().replace("_", " "): each for inner, each in within}
    return ", ".join(f"{name} {value}" for name, value in flat.items() if value is not None)


def _facts(run: Run) -> list[tuple[str, str]]:
    record, model = run.record, run.record["model"]
    timings = record["timings"]
    seconds = record.get("seconds_per_image", timings.get("seconds_per_image"))  # there before format 2
    found = [
        ("command", " ".join(record["command"])),
        ("weights", f"sha256 {model['weights_sha256']}" if model["weights_sha256"] else "none"),
        ("tokenizer", model["tokenizer"] or ""),
        ("device, precision", f"{model['device']}, {model['dtype'] or 'unknown'}"),
        ("sampler", _settings(record["sampler"])),
        ("acceleration", sentence(record["acceleration"]) if "acceleration" in record else ""),
        ("prompts", f"{record['data']['name']}, sha256 {record['data']['digest']}"),
        ("seed", str(record["seed"])),
        ("time", f"{seconds} s per image; bound by {timings['bound_by']}" if seconds is not None else ""),
        ("made", f"{record['created']} by evalkit {record['evalkit']}"),
    ]
    return [(name, text) for name, text in found if text]


def _thumbnail(folder: Path, name: str) -> Markup | None:
    pixels = read_pixels(folder, name)
    if pixels is None:  # the file is gone since
        return None
    small = Image.fromarray(pixels)
    scale = SIDE / max(small.size)
    if scale < 1:
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    elif scale >= 2:
        small = small.resize((small.width * int(scale), small.height * int(scale)), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=82, method=4)
    return Markup("data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode())
