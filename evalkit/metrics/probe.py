"""Scores of probes: how often a generator does what its prompts ask for, overall and by task."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from evalkit.metrics.metric import Metric, View, everywhere
from evalkit.metrics.sums import OWN_MEAN, BySample, Columns, Mask, Sums
from evalkit.protocols.judged import declared, load_declaration
from evalkit.protocols.judged.declaration import AggregateRule

TASKS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
TITLES = {"geneval": "GenEval", "world": "Reference world"}
HEADLINE: frozenset[View] = frozenset({"headline"})
IMAGES, PROMPTS = "images", "prompts"  # shares of images, and of prompts with a right image


def _number(text: str) -> float:
    """A number that stands for a text."""
    return float(int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12], 16))


def mean_of_tasks(
    metric: str,
    columns: Columns,
    rows: Mask,
    *,
    weights: Mapping[str, float] | None = None,
    digits: int | None = None,
) -> Iterator[Sums]:
    """The mean of the means of tasks by their `weights` (alike), as a mean over images with the same influence of each.

    An image of a task of weight w and n images counts N w / n times its distance from its task's mean, over N images.
    `digits`: to which the means are rounded first.
    """
    scores, tasks = columns.numbers(metric), columns.counted("task", _number)
    if scores is None or tasks is None:
        return
    keep = rows & ~np.isnan(scores) & ~np.isnan(tasks)
    if not keep.any():
        return
    names, place, sizes = np.unique(tasks[keep], return_inverse=True, return_counts=True)
    means = np.bincount(place, scores[keep]) / sizes
    by_number = {_number(name): weight for name, weight in (weights or {}).items()}
    shares = np.array([by_number.get(float(name), 0.0) for name in names]) if weights else np.ones(len(names))
    if not shares.any():
        return
    shares = shares / shares.sum()
    value = float(shares @ [mean if digits is None else round(float(mean), digits) for mean in means])
    moved = np.full(len(scores), np.nan)
    moved[keep] = value + int(keep.sum()) * (shares / sizes)[place] * (scores[keep] - means[place])
    yield Sums(moved, None, 1.0, value, scores)


MEAN_OF_TASKS = BySample(mean_of_tasks, ("task",))


_declared = partial(
    Metric,
    level="sample",
    task="probe",
    source="evalkit.tasks.probe",
    low=0.0,
    under=everywhere,
    family="probe",
)


def _by_category(rule: AggregateRule) -> BySample:
    """How a judged headline comes from its images, where it is a mean of categories."""
    if rule.kind not in ("categories", "weighted") or rule.each:
        return OWN_MEAN
    return BySample(partial(mean_of_tasks, weights=rule.weights, digits=rule.digits), ("task",))


def judged(name: str, suite: str, judge: str | None = None, part: str | None = None) -> Metric:
    """The declaration of a judged suite's score: `<suite>[@<judge>][/<score or category>]`, on the suite's own scale."""
    said = load_declaration(suite)
    rule = next((each for each in said.scores if each.name == (part or "").partition("/")[0]), said.scores[0])
    whose = suite + (f" by {judge}" if judge else "")
    made = _declared(
        name,
        whose if part is None else f"{whose}, {part}",
        f"{whose}: {part or said.title}",
        better="lower" if rule.worst > rule.best else "higher",
        by_sample=_by_category(said.aggregate) if part is None else OWN_MEAN,
        shown=HEADLINE if part is None else frozenset(),
    )
    return replace(made, low=min(rule.worst, rule.best), high=max(rule.worst, rule.best))


def score(name: str, suite: str, detector: str | None = None, part: str | None = None) -> Metric:
    """The declaration of a score: `<suite>[@<detector>][/<task>]`; a detector that is not the official one is named."""
    if suite in declared():
        return judged(name, suite, detector, part)
    whose = TITLES.get(suite, suite) + (f" with {detector}" if detector else "")
    if part is None:
        title = f"{whose}: mean over tasks of the share of right images"
        return _declared(name, whose, title, "higher", high=1.0, by_sample=MEAN_OF_TASKS, shown=HEADLINE)
    said = {IMAGES: "share of right images", PROMPTS: "share of prompts with a right image"}
    words = said.get(part, f"share of right images in {part.replace('_', ' ')}")
    return _declared(
        name, f"{whose}, {part.replace('_', ' ')}", f"{whose}: {words}", "higher", high=1.0, shown=frozenset()
    )


IMAGES_PROBED = _declared(
    "images_probed",
    "Images probed",
    "images that a verdict was given on",
    "none",
    level="set",
    shown=frozenset(),
)
IMAGES_MISSING = _declared(
    "images_missing",
    "Images missing",
    "images of the suite without a verdict",
    "none",
    level="set",
    shown=frozenset(),
)
PARTS = (*TASKS, IMAGES, PROMPTS)
SCORES = tuple(
    made
    for suite in TITLES
    for made in (score(suite, suite), *(score(f"{suite}/{part}", suite, None, part) for part in PARTS))
)
JUDGED = tuple(judged(name, name) for name in declared())
DECLARED = (*SCORES, *JUDGED, IMAGES_PROBED, IMAGES_MISSING)
DECLARED_PATTERNS = {
    r"([a-z0-9-]+)@([^/]+)(?:/(.+))?": score,
    rf"({'|'.join(declared())})()/(.+)": judged,
}
