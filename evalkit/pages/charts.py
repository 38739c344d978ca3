"""From runs to the figures of the page: which metric goes into which image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evalkit.metrics.metric import Metric
from evalkit.metrics.rate import BPP
from evalkit.metrics.registry import METRICS
from evalkit.pages.columns import values, values_by_part
from evalkit.pages.figures import Interval, bars, intervals, ridges
from evalkit.pages.labels import metric_label
from evalkit.pages.plane import Point, numbered, plane
from evalkit.pages.provenance import stages
from evalkit.pages.summary import Row, headlines, is_of_a_part, losses_first, run_names, same_images
from evalkit.runs.store import Run
from evalkit.text import as_float


@dataclass(frozen=True)
class Chart:
    """A figure with its caption; `names` are those that its numbers stand for."""

    caption: str
    about: str
    figure: Markup
    names: tuple[str, ...] = ()


def plane_charts(runs: Sequence[Run], rows: Sequence[Row]) -> list[Chart]:
    """Quality against rate, where at least two runs on the same images have both."""
    if len(runs) < 2 or not same_images(runs):
        return []
    charts: list[Chart] = []
    for rate, quality in _two_qualities(rows):
        points = [
            Point(name, x, y, _bounds(rate, i), _bounds(quality, i))
            for i, name in enumerate(run_names(runs))
            if (x := _value(rate, i)) is not None and (y := _value(quality, i)) is not None
        ]
        title = f"{quality.label}{', ' + quality.unit if quality.unit else ''}"
        figure = plane("rate, bits per pixel", title, points)
        if figure:
            known = tuple(p.name for p in points) if numbered(points) else ()
            better = "up and left is better" if quality.better == "higher" else "down and left is better"
            charts.append(Chart(f"{title} against rate", f"{quality.key[2]}; {better}", Markup(figure), known))
    return charts


def interval_charts(runs: Sequence[Run], rows: Sequence[Row]) -> list[Chart]:
    """The main metrics of several runs side by side."""
    if len(runs) < 2:
        return []
    charts = []
    for row in headlines(rows):
        shown = []
        for i, name in enumerate(run_names(runs)):
            value, bounds = _value(row, i), _bounds(row, i)
            if value is not None:
                low, high = bounds or (None, None)
                shown.append(Interval(name, value, low, high, row.best == i))
        figure = intervals(row.label, shown, *_limits(row.key[3]))
        if figure:
            unit = f", {row.unit}" if row.unit else ""
            about = f"{row.key[2]}; {row.better} is better"
            charts.append(Chart(f"{row.label}{unit}", about, Markup(figure)))
    return charts


def distribution_charts(runs: Sequence[Run]) -> list[Chart]:
    """How each metric spreads over images: by part of the data for one run, by run for several."""
    charts = []
    for metric in losses_first([each for each in METRICS.all() if "spread" in each.shown]):
        if len(runs) == 1:
            rows = values_by_part(runs[0], metric.name)
        else:
            rows = [(name, values(run, metric.name)) for name, run in zip(run_names(runs), runs, strict=True)]
        figure = ridges(metric.label, rows, metric.low, metric.high)
        if figure:
            unit = f", {metric.unit}" if metric.unit else ""
            charts.append(Chart(f"{metric.label}{unit}", f"{metric.better} is better", Markup(figure)))
    return charts


def survival_charts(runs: Sequence[Run]) -> list[Chart]:
    """Which codes return: a row for each scale or bit, a chart for each run, metric and protocol that has them."""
    found: dict[tuple[str, str, str, str], list[Interval]] = {}
    for name, run in zip(run_names(runs), runs, strict=True):
        for result in filter(is_of_a_part, run.results):
            part = str(result["dataset"]).rpartition("[")[2].rstrip("]")  # "scale 3 of 10"
            key = (name if len(runs) > 1 else "", str(result["protocol"]), result["metric"], part.split(" ")[0])
            low, high = as_float(result["low"]), as_float(result["high"])
            value = as_float(result["value"])
            if value is not None:
                found.setdefault(key, []).append(Interval(part.partition(" of ")[0], value, low, high))
    charts = []
    for (name, protocol, metric, part), rows in found.items():
        figure = intervals(f"{metric_label(metric)} by {part}", rows, 0.0, 1.0)
        about = ", ".join(each for each in (name, protocol, "share of codes that return") if each)
        charts.append(Chart(f"{metric_label(metric)} by {part}", about, Markup(figure)))
    return charts


def stage_chart(run: Run) -> Markup:
    """Where the time went."""
    return Markup(bars("Seconds by stage", stages(run)))


def _two_qualities(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """(rate, quality) of at most two metrics of the plane: one of each direction where both were measured."""
    metrics = [each for each in METRICS.all() if "plane" in each.shown]
    found: list[tuple[Metric, tuple[Row, Row]]] = []
    for metric in metrics:
        pair = _rated(rows, metric.name)
        if pair is not None:
            found.append((metric, pair))
    firsts = [next((each for each in found if each[0].better == better), None) for better in ("higher", "lower")]
    chosen = [each for each in firsts if each is not None]
    chosen += [each for each in found if each not in chosen]
    return [pair for _, pair in chosen[:2]]


def _rated(rows: Sequence[Row], metric: str) -> tuple[Row, Row] | None:
    """The first rows of rate and of `metric` that speak of the same images."""
    by_key = {row.key: row for row in rows}
    for quality in rows:
        rate = by_key.get((*quality.key[:3], BPP.name))
        if quality.key[3] == metric and rate is not None:
            return rate, quality
    return None


def _limits(metric: str) -> tuple[float | None, float | None]:
    known = METRICS.find(metric)
    return (known.low, known.high) if known else (None, None)


def _value(row: Row, column: int) -> float | None:
    cell = row.cells[column]
    return None if cell is None or cell["status"] != "ok" else as_float(cell["value"])


def _bounds(row: Row, column: int) -> tuple[float, float] | None:
    cell = row.cells[column] or {}
    low, high = as_float(cell.get("low")), as_float(cell.get("high"))
    return None if low is None or high is None else (low, high)
