"""Results of a run computed again: one aggregation, one comparison, for the checks of every task."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalkit.jobs.checks import Checks, Failure
from evalkit.jobs.earlier import as_stated, key_of
from evalkit.jobs.task import Aggregated, Task
from evalkit.runs.store import Result, Run, results_json

RESULTS = "results.json"
SAME, ABSOLUTE = 1e-9, 1e-9  # of numbers that are computed again from the same rows: relative, absolute
BOUNDS = ("low", "high", "ci_method")
STATED = ("value", "n", "unit", "better", "status", *BOUNDS)  # of a result; its reason is prose, which may be reworded


class TaskChecks(Checks):
    """Checks of a task whose results its own aggregation gives again."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def again(self, run: Run) -> Aggregated:
        """What the run's own shards come to; raises `EvalkitError` where they cannot be aggregated."""
        return self.task.aggregate(self.task.spec(run), self.task.parts(run))


def unlike(
    run: Run,
    made: Sequence[Result],
    *,
    source: str = "the rows give",
    same: float = SAME,
    skip: Iterable[tuple[str, ...]] = (),
    unbounded: Iterable[tuple[str, ...]] = (),
) -> tuple[list[Failure], str | None]:
    """(what results.json states otherwise than `made`, the sentence on intervals by an earlier method or None).

    `same`: relative tolerance of numbers. `skip`: results, by their `KEY`, that cannot be computed again; `unbounded`:
    those of which only the value and the count can. What is stated twice, left out or made up is a failure too.
    """
    results, earlier = as_stated(run.results, made)
    left, bare = set(skip), set(unbounded)
    wanted = {key_of(row): row for row in json.loads(results_json(results)) if key_of(row) not in left}
    said = {key_of(row): row for row in run.results if key_of(row) not in left}
    bad = [f"{_name(key)} appears twice" for key, count in Counter(map(key_of, run.results)).items() if count > 1]
    bad += [f"{_name(key)} is missing" for key in wanted if key not in said]
    bad += [f"{_name(key)} follows from no row or statistic" for key in said if key not in wanted]
    for key in (key for key in said if key in wanted):
        fields = [name for name in STATED if name in said[key] and not (key in bare and name in BOUNDS)]
        bad += [
            f"{_name(key)}: {name} is {said[key][name]}, {source} {wanted[key][name]}"
            for name in fields
            if not same_value(said[key][name], wanted[key][name], same)
        ]
    return [Failure(RESULTS, reason) for reason in bad], earlier


def same_value(said: Any, made: Any, same: float = SAME, slack: float = ABSOLUTE) -> bool:
    """Whether two JSON values are equal: numbers within `same` of the larger one, or within `slack`.

    >>> same_value({"a": [1.0]}, {"a": [1.0 + 1e-12]}), same_value(0.5, None), same_value(1e-7, 2e-7)
    (True, False, False)
    """
    if isinstance(said, Mapping) and isinstance(made, Mapping):
        return said.keys() == made.keys() and all(same_value(value, made[key], same) for key, value in said.items())
    if isinstance(said, list) and isinstance(made, list):
        return len(said) == len(made) and all(same_value(a, b, same) for a, b in zip(said, made, strict=True))
    if isinstance(said, float) and isinstance(made, float):
        return math.isclose(said, made, rel_tol=same, abs_tol=slack) or (math.isnan(said) and math.isnan(made))
    if isinstance(said, str) and isinstance(made, str):  # runs of format 1 say picture where it is image now
        return said.replace("picture", "image") == made.replace("picture", "image")
    return bool(said == made)


def _name(key: tuple[str, ...]) -> str:
    _, dataset, metric, protocol = key
    return metric + (f" of {dataset}" if dataset else "") + (f" ({protocol})" if protocol else "")
