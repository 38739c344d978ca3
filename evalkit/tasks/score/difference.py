"""How two scored sets differ in a metric, from the features that their runs kept: one reference, paired images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtr, ndtri

from evalkit.metrics.base import Estimate
from evalkit.metrics.frechet_interval import frechet_difference
from evalkit.metrics.kid import kid_difference
from evalkit.metrics.rows import Rows, Taken
from evalkit.metrics.sets.composition import FRECHET, HEADS, Side
from evalkit.metrics.statistics_file import StoredGaussian
from evalkit.protocols.score import load_score_protocol
from evalkit.runs.store import Run
from evalkit.stats.paired import Difference
from evalkit.tasks.score.features import KeptParts, collected, sides_of
from evalkit.tasks.score.rows import IMAGES

EXTRAPOLATED = "fid_infinity"  # of sub-samples, which have no influence function


def score_difference(a: Run, b: Run, metric: str) -> Difference | None:
    """The metric of run `a` less that of `b` against the reference that both name; None where features do not give it.

    Sampling errors of the reference count once. Images that both runs call by one id count as a pair, so that sets
    made from the same prompts or seeds are compared pair by pair; independent sets are none the worse for it.
    """
    head = HEADS.get(metric, "")
    if (metric not in FRECHET and metric != "kid") or metric == EXTRAPOLATED:
        return None
    if any(run.record.get("statistics") != "features" for run in (a, b)):
        return None
    (one, reference), (two, _) = sides_by_features(a), sides_by_features(b)
    if head not in one.rows or head not in two.rows:
        return None
    x, y, paired = _paired(one.rows[head], two.rows[head], good_ids(a), good_ids(b))
    if metric == "kid":
        return _kid(x, y, reference, head, str(a.record["protocols"][0]["id"])) if paired else None
    gaussian = reference.statistics(head, x.shape[1])
    if gaussian is None or min(len(x), len(y)) < 2:
        return None
    own = None if isinstance(gaussian, StoredGaussian) else reference.rows.get(head)
    found = frechet_difference(x, y, gaussian, own, paired=paired)
    return Difference(found.estimate, found.p, "z of the influences")


def _kid(x: Rows, y: Rows, reference: Side, head: str, protocol: str) -> Difference | None:
    rows = reference.rows.get(head)
    if rows is None:
        return None
    found = kid_difference(x, y, rows, load_score_protocol(protocol).subsets)
    return Difference(found, _normal_p(found), "z of the interval")


def _normal_p(estimate: Estimate) -> float:
    """Two-sided p of zero from a symmetric interval."""
    if estimate.low is None or estimate.high is None or not math.isfinite(estimate.value):
        return math.nan
    error = (estimate.high - estimate.low) / 2 / float(ndtri((1 + estimate.level) / 2))
    return float(2 * ndtr(-abs(estimate.value) / error)) if error > 0 else float(estimate.value == 0)


def sides_by_features(run: Run) -> tuple[Side, Side]:
    """The images and the reference of a run, with the features that it kept."""
    return sides_of(collected(KeptParts(run)), "", {})


def good_ids(run: Run) -> list[str]:
    """The ids of the images that features were taken of, in their order."""
    rows: pa.Table = run.samples
    keep = pc.and_(pc.equal(rows["side"], IMAGES), pc.is_null(rows["error"]))
    ids: list[str] = rows.filter(keep)["id"].to_pylist()
    return ids


def _paired(x: Rows, y: Rows, a: Sequence[str], b: Sequence[str]) -> tuple[Rows, Rows, bool]:
    """Both sets in the order of their ids where the ids are the same, and whether they are."""
    if len(x) != len(y) or len(x) != len(a) or len(set(a)) != len(a) or set(a) != set(b):
        return x, y, False
    order = [np.argsort(np.array(ids, object), kind="stable") for ids in (a, b)]
    return Taken(x, order[0]), Taken(y, order[1]), True
