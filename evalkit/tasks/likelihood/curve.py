"""What each place of the code costs, over all images: where in an image a model is surprised."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from evalkit.metrics.npz import arrays_of
from evalkit.pages.charts import Chart
from evalkit.pages.plane import Point, plane
from evalkit.runs.shards import Parts
from evalkit.runs.store import Run
from evalkit.tasks.likelihood.worker import COUNT, SQUARES, SUM

CURVE = "likelihood"
SHOWN = 64  # points of the chart; neighbours are joined
Arrays = dict[str, np.ndarray[Any, Any]]


def curve_of(parts: Parts) -> Arrays:
    """Sums over all shards, by name; of a sealed run, what its file holds."""
    found: Arrays = {}
    for arrays in parts.arrays():
        for name, array in arrays.items():
            name = name.rpartition("|")[2]
            found[name] = found[name] + array if name in found else np.array(array)
    return found


def npz_of(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """The sums as an npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **{name: arrays[name] for name in sorted(arrays)})  # type: ignore[arg-type]
    return buffer.getvalue()


def curve_chart(run: Run) -> Chart | None:
    """Nats of each place with twice its standard error; None where no image has a likelihood."""
    held = arrays_of(run.path / "statistics" / f"{CURVE}.npz")
    total, squares, n = held[SUM], held[SQUARES], int(held[COUNT])
    if n < 1:
        return None
    mean = total / n
    spread = np.sqrt(np.maximum(squares / n - mean**2, 0) / max(n - 1, 1))
    step = max(1, math.ceil(len(mean) / SHOWN))
    points = []
    for start in range(0, len(mean), step):
        part = slice(start, start + step)
        value, error = float(mean[part].mean()), 2 * float(spread[part].mean())
        points.append(Point(f"code {start + 1}", start + 1, value, y_bounds=(max(value - error, 0.0), value + error)))
    figure = plane("place of the code", "nats", points, joined=True)
    about = "mean over images; bars: twice the mean standard error" + (f"; {step} codes a point" if step > 1 else "")
    return Chart("Cost of each code", about, Markup(figure)) if figure else None
