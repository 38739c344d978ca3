"""Scores of a probe before and after: the reference world's from the evidence of a check, others' from runs of a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.erasure.check.gates import Gates
from evalkit.erasure.check.judge import FAR, NEAR
from evalkit.erasure.check.sets import rate
from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.runs.store import read_run
from evalkit.stats.discordant import Kept, kept_within

ALL = "all tasks"
BEFORE, AFTER = "probe_base", "probe_erased"  # columns of judged rows


@dataclass(frozen=True)
class Probed:
    """One task of a probe: the scores of both models over `n` images, and the change image by image."""

    task: str
    n: int
    base: Estimate
    erased: Estimate
    change: Kept


def of_probe(columns: Mapping[str, Any], gates: Gates) -> list[Probed]:
    """All tasks, and each of them, of the images of retained prompts that a probe has rules for."""
    if BEFORE not in columns or AFTER not in columns:
        return []
    good = np.isin(columns["subset"].astype(str), (NEAR, FAR))
    good &= ~np.isnan(columns[BEFORE]) & ~np.isnan(columns[AFTER])
    rows = {name: columns[name][good] for name in (BEFORE, AFTER, "prompt_id", "task")}
    return compared(rows[BEFORE], rows[AFTER], rows["prompt_id"].astype(str), rows["task"].astype(str), gates)


def compared(before: Any, after: Any, prompts: Any, tasks: Any, gates: Gates) -> list[Probed]:
    """The same from scores [n] of both models, with the prompt and the task of each image."""
    if not len(before):
        return []
    groups = {ALL: np.full(len(before), True)} | {str(task): tasks == task for task in sorted(set(tasks))}
    return [
        Probed(
            task,
            int(rows.sum()),
            rate(before[rows], prompts[rows]),
            rate(after[rows], prompts[rows]),
            kept_within(before[rows], after[rows], gates.margin, clusters=prompts[rows]),
        )
        for task, rows in groups.items()
    ]


def read_probes(before: str, after: str) -> dict[str, Any]:
    """Arrays of the images that two runs of `evalkit probe` share: scores, and as texts the prompts and the tasks.

    Raises `EvalkitError` for runs of other tasks or of different suites, and where no image has a score in both.
    """
    runs = [read_run(path) for path in (before, after)]
    names = [(run.record.get("task"), run.record.get("prompts", {}).get("digest")) for run in runs]
    if names[0] != names[1] or names[0][0] != "probe":
        raise EvalkitError(f"{before} and {after} are no runs of one probe. Give two runs of the same evalkit probe")
    scores = [_scores(run.samples.select(["prompt_id", "sample", "task", "score"]).to_pylist()) for run in runs]
    shared = [key for key in scores[0] if key in scores[1]]
    if not shared:
        raise EvalkitError(f"no image has a score in both {before} and {after}. Give runs that finished")
    return {
        "probed_base": np.array([scores[0][key] for key in shared]),
        "probed_erased": np.array([scores[1][key] for key in shared]),
        "probed_prompts": np.array([key[0] for key in shared]),
        "probed_tasks": np.array([key[2] for key in shared]),
    }


def of_arrays(arrays: Mapping[str, Any], gates: Gates) -> list[Probed]:
    """The comparison of `read_probes`' arrays; empty without them."""
    if "probed_base" not in arrays:
        return []
    prompts, tasks = arrays["probed_prompts"], arrays["probed_tasks"]
    return compared(arrays["probed_base"], arrays["probed_erased"], prompts, tasks, gates)


def _scores(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int, str], float]:
    return {
        (str(row["prompt_id"]), int(row["sample"]), str(row["task"])): float(row["score"])
        for row in rows
        if row["score"] is not None
    }
