"""samples.parquet as the columns that a page can filter and sort: numbers, texts and yes-or-no verdicts."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from evalkit.metrics.registry import METRICS

Kind = Literal["number", "text", "flag"]
NAMES = {
    "id": "id",
    "prompt_id": "prompt id",
    "class_id": "class",
    "text_truth": "true text",
    "text_original": "text read in the original",
    "text_reconstruction": "text read in the reconstruction",
    "text_error": "why no text was read",
    "error": "error",
}


@dataclass(frozen=True)
class Column:
    """One column of a run's samples; `values` are what JSON can hold, None where a sample has no value."""

    name: str
    kind: Kind
    label: str
    about: str
    better: str
    values: list[Any]

    def as_dict(self) -> dict[str, Any]:
        """What the page reads."""
        return vars(self)


def columns(samples: pa.Table) -> list[Column]:
    """Every column that has a value; `id` is always there. Known metrics come first, in their usual order."""
    usual = [name for name in METRICS if name in samples.column_names and name not in NAMES]
    names = [*usual, *(name for name in samples.column_names if name not in usual)]
    made = [_column(name, samples[name]) for name in names]
    return [each for each in made if each.name == "id" or any(value is not None for value in each.values)]


def _column(name: str, column: pa.ChunkedArray) -> Column:
    kind = _kind(column.type)
    values = [_PLAIN[kind](value) for value in column.to_pylist()]
    metric = None if name in NAMES else METRICS.find(name)
    if metric is None:
        return Column(name, kind, NAMES.get(name) or name.replace("_", " "), "", "", values)
    about = f"{metric.title}, {metric.unit}" if metric.unit else metric.title
    better = "" if metric.better == "none" else metric.better
    return Column(name, kind, metric.label, about, better, values)


def _kind(kind: pa.DataType) -> Kind:
    if pa.types.is_boolean(kind):
        return "flag"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    return "text"


def _number(value: Any) -> float | int | str | None:
    """Seven significant digits; infinities in words, as results.json has them."""
    if value is None or isinstance(value, int):
        return value
    number = float(value)
    if math.isnan(number):
        return None
    if math.isinf(number) or abs(number) >= 1e300:  # as images' scores say "no finite value"
        return "inf" if number > 0 else "-inf"
    return float(f"{number:.7g}")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:  # dates and times
        return str(value)


def _flag(value: Any) -> bool | None:
    return value if value is None else bool(value)


_PLAIN = {"number": _number, "text": _text, "flag": _flag}
