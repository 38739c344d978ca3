"""Intervals of runs that an earlier evalkit sealed: verification says by which method they are, and checks their values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalkit.runs.store import Result
from evalkit.text import as_float

# what Estimate.method could say before skewness, rare events and exact images had intervals of their own
_METHODS = re.compile(
    r"Student's t over \d+ \w+|studentised bootstrap over \d+ \w+|Student's t of the logarithm|all \d+ \w+ are equal"
    r"|Wilson score interval over \d+ samples|bounds of \d+ independent parts combined|values are infinite \(identical"
)


def as_stated(said: Sequence[Mapping[str, Any]], made: Sequence[Result]) -> tuple[list[Result], str | None]:
    """The results `made` of a run's rows, with the intervals that the run states where those name an earlier method.

    Also the sentence that says so, None where there is none. What differs under one and the same method stays.
    """
    rows = {(row["task"], row["dataset"], row["metric"], row["protocol"]): row for row in said}
    found, methods = [], []
    for each in made:
        row = rows.get((each.task, each.dataset, each.metric, each.protocol))
        method = "" if row is None else str(row.get("ci_method") or "")
        if row is None or method == each.ci_method or not _METHODS.search(method):
            found.append(each)
            continue
        methods.append(method)
        low, high, value = (as_float(row[key]) for key in ("low", "high", "value"))
        whole = value is not None and math.isinf(value) and "are infinite" in each.ci_method
        found.append(replace(each, low=low, high=high, ci_method=method, value=value if whole else each.value))
    if not methods:
        return found, None
    several = f", and {len(methods) - 1} more" if len(methods) > 1 else ""
    return found, (
        f"{len(methods)} intervals are by a method of an earlier evalkit ({methods[0]}{several}); their values were checked, "
        "their bounds were not"
    )
