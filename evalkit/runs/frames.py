"""A run's results as tables for notebooks: HTML, pandas, polars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module
from typing import Any, Literal

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.text import as_float, interval_text, number_text, visible

Part = Literal["results", "samples"]
NUMBERS = ("value", "low", "high")
HEADINGS = ("task", "dataset", "metric", "value", "95 % interval", "n", "protocol")


class Results(list[dict[str, Any]]):
    """The rows of results.json; notebooks show them as a table."""

    def _repr_html_(self) -> str:
        return results_html("results", self)


def results_table(results: Sequence[Mapping[str, Any]]) -> pa.Table:
    """results.json as a table: numbers as float64 (infinity too), everything else as it is.

    >>> results_table([{"metric": "psnr", "value": "inf", "n": 3}])["value"].to_pylist()
    [inf]
    """
    rows = [{key: _plain(key, value) for key, value in row.items()} for row in results]
    return pa.Table.from_pylist(rows)


def part_of(results: Sequence[Mapping[str, Any]], samples: pa.Table, part: Part) -> pa.Table:
    """The table that is asked for; raises `EvalkitError` for another word than results and samples."""
    if part not in ("results", "samples"):
        raise EvalkitError(f"A run has no {part!r}. Give results or samples")
    return results_table(results) if part == "results" else samples


def to_pandas(table: pa.Table) -> Any:
    """A pandas frame; raises `EvalkitError` where pandas is not installed."""
    _library("pandas")
    return table.to_pandas()


def to_polars(table: pa.Table) -> Any:
    """A polars frame; raises `EvalkitError` where polars is not installed."""
    return _library("polars").from_arrow(table)


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise EvalkitError(f"{name} is not installed. Type: pip install {name}") from None


def results_html(title: str, results: Sequence[Mapping[str, Any]]) -> str:
    """The results as an HTML table; every text of the run is escaped, and what is unavailable says why."""
    head = "".join(f"<th>{escape(name)}</th>" for name in HEADINGS)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(row))}</tr>" for row in results)
    return (
        f"<table><caption>{escape(visible(title))}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    known = row.get("status", "ok") == "ok"
    value = number_text(row["value"]) if known else f"unavailable: {row.get('reason')}"
    between = interval_text(row.get("low"), row.get("high")) if known else ""
    said = (row["task"], row["dataset"], row["metric"], value, between, str(row["n"]), row["protocol"])
    return tuple(visible(str(cell), most=200) for cell in said)


def _plain(key: str, value: Any) -> Any:
    return as_float(value) if key in NUMBERS and value is not None else value
