"""Verification of a scoring: results again from rows and kept features, or distances from kept moments."""

from __future__ import annotations

import pyarrow.compute as pc

from evalkit.images import content_digest
from evalkit.jobs.checks import Failure, How, Outcome
from evalkit.jobs.data import data_failures
from evalkit.jobs.recomputed import TaskChecks, same_value, unlike
from evalkit.metrics.fid_infinity import FID_INFINITY
from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.moments import load_moments
from evalkit.metrics.sets.composition import FRECHET, HEADS
from evalkit.runs.store import Run
from evalkit.tasks.score.features import KeptParts, collected, moments_files, sides_of
from evalkit.tasks.score.rows import IMAGES, REFERENCE

SAME = 1e-6  # relative, of the same features on another machine
MOMENTS = FID_INFINITY.name  # takes sub-samples, so moments do not give it


class ScoreChecks(TaskChecks):
    """What a run of `evalkit score` promises."""

    scores = False
    makes = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """Every result again where features were kept; Fréchet distances where only moments were."""
        if moments_files(run):
            return self._from_moments(run)
        again = self.again(run)
        failures, earlier = unlike(run, again.results, source="the features give", same=SAME)
        failures += data_failures(run, again.facts["data"]["digest"])
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
            if not same_value(row["value"], value, SAME):
                failures.append(Failure("results.json", f"{row['metric']} is {row['value']}, its moments give {value}"))
        said = "features were too many to keep, so intervals and other metrics cannot be computed again"
        return Outcome(checked, tuple(failures), said)
