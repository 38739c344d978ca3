"""Intervals of runs that an earlier evalkit sealed: verification says by which method they are, and checks their values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalkit.metrics.psnr import EXACT, POOLED
from evalkit.runs.store import Result
from evalkit.text import as_float

# what Estimate.method could say before skewness, rare events and exact images had intervals of their own
_METHODS = re.compile(
    r"Student's t over \d+ \w+|studentised bootstrap over \d+ \w+|Student's t of the logarithm|all \d+ \w+ are equal"
    r"|Wilson score interval over \d+ samples|bounds of \d+ independent parts combined|values are infinite \(identical"
)
KEY = ("task", "dataset", "metric", "protocol")
BESIDE = (EXACT.name, POOLED.name)


def key_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Task, data set, metric and protocol: what a result row is about."""
    return tuple(row[name] for name in KEY)


def as_stated(said: Sequence[Mapping[str, Any]], made: Sequence[Result]) -> tuple[list[Result], str | None]:
    """The results `made` of a run's rows, with the intervals that the run states where those name an earlier method.

    Also the sentence that says so, None where there is none. What differs under one and the same method stays.
    """
    rows = {key_of(row): row for row in said}
    found, methods = [], []
    for each in made:
        row = rows.get(_key(each))
        method = "" if row is None else str(row.get("ci_method") or "")
        if row is None or method == each.ci_method or not _METHODS.search(method):
            found.append(each)
            continue
        methods.append(method)
        low, high, value = (as_float(row[key]) for key in ("low", "high", "value"))
        whole = value is not None and math.isinf(value) and "are infinite" in each.ci_method
        stated = replace(each, low=low, high=high, ci_method=method, reason=row.get("reason"))
        found.append(replace(stated, value=value) if whole else stated)
    if not methods:
        return found, None
    if any("infinite" in method for method in methods):  # what stands beside a mean that leaves exact images out is new
        found = [each for each in found if each.metric not in BESIDE or _key(each) in rows]
    several = f", and {len(methods) - 1} more" if len(methods) > 1 else ""
    return found, (
        f"{len(methods)} intervals are by a method of an earlier evalkit ({methods[0]}{several}); their values were checked, "
        "their bounds were not"
    )


def _key(result: Result) -> tuple[str, ...]:
    return result.task, result.dataset, result.metric, result.protocol
