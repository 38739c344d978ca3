"""Verification of a scoring: results again from rows and kept features, or distances from kept moments."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow.compute as pc

from evalkit.images import content_digest
from evalkit.jobs.checks import Checks, Failure, How, Outcome
from evalkit.jobs.data import data_failures
from evalkit.jobs.earlier import as_stated
from evalkit.jobs.task import Task
from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.moments import load_moments
from evalkit.metrics.sets.composition import FRECHET, HEADS
from evalkit.runs.store import Run, results_json
from evalkit.tasks.score.features import KeptParts, collected, moments_files, sides_of
from evalkit.tasks.score.rows import IMAGES, REFERENCE

SAME = 1e-6  # relative, of the same features on another machine
MOMENTS = "fid_infinity"  # takes sub-samples, so moments do not give it


class ScoreChecks(Checks):
    """What a run of `evalkit score` promises."""

    scores = False
    makes = False

    def __init__(self, task: Task) -> None:
        self.task = task

    def recompute(self, run: Run, how: How) -> Outcome:
        """Every result again where features were kept; Fréchet distances where only moments were."""
        if moments_files(run):
            return self._from_moments(run)
        again = self.task.aggregate(self.task.spec(run), self.task.parts(run))
        results, earlier = as_stated(run.results, again.results)
        wanted = {row["metric"]: row for row in json.loads(results_json(results))}
        failures = data_failures(run, again.facts["data"]["digest"])
        if [row["metric"] for row in run.results] != list(wanted):
            failures.append(Failure("results.json", "its metrics are not those of the plan"))
        for row in run.results:
            made = wanted.get(row["metric"], {})
            failures += [
                Failure("results.json", f"{row['metric']}: {name} is {row[name]}, the features give {made.get(name)}")
                for name in row
                if not _close(row[name], made.get(name))
            ]
        return Outcome(0 if failures else len(run.results), tuple(failures), earlier)

    def _from_moments(self, run: Run) -> Outcome:
        files = moments_files(run)
        spec = self.task.spec(run)
        _, reference = sides_of(collected(KeptParts(run)), getattr(spec.inputs.get("reference"), "name", ""), {})
        rows = run.samples.filter(pc.equal(run.samples["side"], IMAGES)).select(["id", "sha256"]).to_pylist()
        failures = data_failures(run, content_digest((row["id"], row["sha256"]) for row in rows))
        checked = 0
        for row in run.results:
            head = HEADS.get(row["metric"], "")
            if row["metric"] not in FRECHET or row["metric"] == MOMENTS or (IMAGES, head) not in files:
                continue
            one = load_moments(files[IMAGES, head])["features"]
            stored = reference.statistics(head, one.dim)
            other = stored or load_moments(files[REFERENCE, head])["features"]
            value = frechet_distance(one, other)
            checked += 1
            if not _close(row["value"], value):
                failures.append(Failure("results.json", f"{row['metric']} is {row['value']}, its moments give {value}"))
        said = "features were too many to keep, so intervals and other metrics cannot be computed again"
        return Outcome(checked, tuple(failures), said)


def _close(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=SAME, abs_tol=1e-9)
    return bool(a == b)
