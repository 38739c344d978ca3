"""The table of numbers: a row a metric, a column a run; which value is first; why a value is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.metrics.metric import Metric
from evalkit.metrics.registry import METRICS
from evalkit.pages.labels import metric_label, metric_title
from evalkit.runs.store import Run
from evalkit.text import counted, day_text, interval_text, number_text, with_unit

TASKS = {
    "reconstruction": "Reconstruction",
    "detail": "Fine detail",
    "text": "Text",
    "distribution": "Distribution",
    "fid-infinity": "Distribution, infinitely many images",
    "codes": "Codes",
    "survival": "Survival of codes",
    "shift": "Consistency under shifts",
    "likelihood": "Likelihood of codes",
    "paired": "Beside the baseline",
    "captions": "Captions beside references",
    "views": "Consistency of views",
    "probe": "Does it do what it is told?",
    "erasure-check": "Is the concept really gone?",
}


Key = tuple[str, str, str, str]  # protocol, task, data set, metric


@dataclass(frozen=True)
class First:
    """The column that is first at 95 % confidence among the columns that may be compared with it (`ranked`)."""

    column: int
    ranked: frozenset[int]


@dataclass(frozen=True)
class Row:
    """One metric on one part of the data; `cells` has one result row, or None, for each run."""

    key: Key
    unit: str
    better: str
    cells: tuple[dict[str, Any] | None, ...]
    best: int | None

    @property
    def label(self) -> str:
        """Usual name of the metric."""
        return metric_label(self.key[3])

    @property
    def about(self) -> str:
        """What the metric is, and its name in results.json."""
        title = metric_title(self.key[3])
        return f"{title} ({self.key[3]})" if title else self.key[3]

    @property
    def measured(self) -> int:
        """The most images that one of the values comes from; 0 where every run lacks it."""
        return max((int(c["n"]) for c in self.cells if c is not None and c["status"] == "ok"), default=0)

    @property
    def n(self) -> str:
        """How many images the values come from."""
        counts = sorted({int(c["n"]) for c in self.cells if c and c["status"] == "ok"})
        return "" if not counts else f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


@dataclass(frozen=True)
class Missing:
    """A reason why numbers are not there, and the numbers that it holds back."""

    number: int
    reason: str
    what: str


def run_names(runs: Sequence[Run]) -> list[str]:
    """A name for each run: the model's, with the folder's where two runs share a model."""
    names = [str(run.record["model"]["name"]) for run in runs]
    return [
        name if names.count(name) == 1 else f"{name} · {run.path.name}" for name, run in zip(names, runs, strict=True)
    ]


def same_images(runs: Sequence[Run]) -> bool:
    """Whether all runs saw the same images; only then are their numbers set against each other."""
    return len({(run.record["data"].get("digest"), run.record["data"]["n"]) for run in runs}) == 1


def summary(runs: Sequence[Run], firsts: Mapping[Key, First] | None = None) -> list[Row]:
    """Every result of every run but those of single scales and bits, in the order of the first run that has it.

    `firsts`: which run is first in a row; none is where the row has a value that was not ranked with it.
    """
    found: dict[Key, list[dict[str, Any] | None]] = {}
    for column, run in enumerate(runs):
        for result in run.results:
            if is_of_a_part(result):
                continue
            key = (result["protocol"], result["task"], result["dataset"], result["metric"])
            found.setdefault(key, [None] * len(runs))[column] = result
    rows = []
    for key, cells in found.items():
        some = next(c for c in cells if c is not None)
        first = (firsts or {}).get(key)
        measured = {i for i, c in enumerate(cells) if c is not None and c["status"] == "ok"}
        best = first.column if first is not None and measured <= first.ranked else None
        rows.append(Row(key, some["unit"], some["better"], tuple(cells), best))
    return rows


def is_of_a_part(result: dict[str, Any]) -> bool:
    """Whether a result speaks of one scale or one bit of the codes, which are too many for a table."""
    return result["task"] == "survival" and str(result["dataset"]).endswith("]")


def parts(rows: Sequence[Row]) -> list[tuple[tuple[str, str, str], list[Row]]]:
    """Rows by (protocol, task, data set), in order of appearance."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault(row.key[:3], []).append(row)
    return list(found.items())


def missing(runs: Sequence[Run]) -> list[Missing]:
    """Every reason why a number is unavailable, with the metrics (and the models, where not all) that it concerns."""
    names = run_names(runs)
    found: dict[str, dict[str, list[str]]] = {}
    for name, run in zip(names, runs, strict=True):
        for result in run.results:
            if result["status"] != "ok":
                models = found.setdefault(str(result["reason"]), {}).setdefault(metric_label(result["metric"]), [])
                if name not in models:
                    models.append(name)
    notes = []
    for number, (reason, metrics) in enumerate(found.items(), 1):
        parts = [m if len(who) == len(runs) else f"{m} ({', '.join(who)})" for m, who in metrics.items()]
        notes.append(Missing(number, reason, "; ".join(parts)))
    return notes


def headlines(rows: Sequence[Row]) -> list[Row]:
    """The few rows that a reader wants first: the first metric of each family, on the largest part of its task."""
    families: dict[str, list[str]] = {}
    for metric in losses_first([each for each in METRICS.all() if "headline" in each.shown]):
        families.setdefault(metric.family or metric.name, []).append(metric.name)
    chosen = []
    for group in families.values():
        measured = [row for metric in group for row in rows if row.key[3] == metric and row.measured]
        same = [row for row in measured if row.key[:2] == measured[0].key[:2] and row.key[3] == measured[0].key[3]]
        if same:
            chosen.append(max(same, key=lambda row: row.measured))
    return chosen


def losses_first(metrics: Sequence[Metric]) -> list[Metric]:
    """What images lost before what their codes cost, otherwise in the usual order."""
    return sorted(metrics, key=lambda metric: metric.level == "sample")


def verdict(runs: Sequence[Run], rows: Sequence[Row]) -> str:
    """What was run, on how much, when, and what came out, in one sentence."""
    names, record = run_names(runs), runs[0].record
    protocols = " and ".join(dict.fromkeys(str(p["id"]) for run in runs for p in run.record["protocols"]))
    setting = ", ".join(part for part in (protocols, day_text(record)) if part)
    images = f"{counted(int(record['data']['n']), 'image')} of {record['data']['name']}"
    if not same_images(runs):
        images = "different sets of images"
    elif len(runs) > 1:
        images = f"the same {images}"
    start = f"{names[0] if len(runs) == 1 else counted(len(runs), 'run')} on {images} ({setting})"
    shown = headlines(rows)
    if not shown:
        return f"{start}: nothing could be measured."
    row = shown[0]
    if len(runs) == 1:
        return f"{start}: {_value(row, 0)}."
    if row.best is None:
        return f"{start}: in {row.label} on {row.key[2]} no run is first at 95 % confidence."
    return f"{start}: {names[row.best]} is first at 95 % confidence in {_value(row, row.best)}."


def _value(row: Row, column: int) -> str:
    cell = row.cells[column] or {}
    text = with_unit(number_text(cell.get("value")), row.unit)
    interval = interval_text(cell.get("low"), cell.get("high"))
    return f"{row.label} {text}" + (f" ({interval})" if interval else "") + f" on {row.key[2]}"
