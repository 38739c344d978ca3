"""Rows as what policies and means take: an item for each image, or for each category that an image counts in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np

from evalkit.judges.parse import Scale
from evalkit.judges.policy import Item
from evalkit.judges.scored import apply_policy, filled
from evalkit.metrics.base import Estimate
from evalkit.protocols.judged.declaration import Declaration, ScoreRule
from evalkit.stats.intervals import mean_interval, ratio_interval
from evalkit.stats.resampled import percentiles, resampled_sums
from evalkit.tasks.probe.judged.formula import number_of
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore

CORRECTED = "evalkit-1"
RESAMPLES = 1000  # of prompts, for headlines that are no mean


def items_of(rows: Sequence[ProbeRow], rule: ScoreRule, reader: str) -> list[Item]:
    """An item for each image of the score, by the parser `reader`."""
    items = []
    for row in rows:
        read: Mapping[str, Any] = row.details.get(reader, {})
        value, state = read.get("values", {}).get(rule.name), str(read.get("state", row.state))
        value = None if value is None or math.isnan(value) else float(value)
        state = "answered" if value is not None else "unparsed" if state == "answered" else state
        weight = float(read.get("weights", {}).get(rule.name, 1.0))
        if not weight:
            continue
        guesses = tuple(read.get("guesses", {}).get(rule.name, ()))
        ends = read.get("ends", {}).get(rule.name)
        ends = None if ends is None else (float(ends[0]), float(ends[1]), float(ends[2]))
        items.append(Item(f"{row.prompt}-{row.sample}", row.task, value, state, weight, row.prompt, guesses, ends))
    return items


def split_items(rows: Sequence[ProbeRow], reader: str) -> list[Item]:
    """An item for each category that an image counts in, such as the test points of a prompt; lost with its image."""
    items = []
    for row in rows:
        read: Mapping[str, Any] = row.details.get(reader, {})
        lost = str(read.get("state", row.state))
        lost = "unparsed" if lost == "answered" else lost
        for place, (category, value) in enumerate(read.get("split", ())):
            state = lost if value is None else "answered"
            items.append(Item(f"{row.prompt}-{row.sample}/{place}", category, value, state, cluster=row.prompt))
    return items


def whole_items(items: Sequence[Item]) -> list[Item]:
    """The items, where all those of a prompt are lost that has lost one (WiseEdit's rows of two languages)."""
    lost = {item.cluster: item.state for item in items if item.value is None}
    return [replace(item, value=None, state=lost[item.cluster]) if item.cluster in lost else item for item in items]


def mean_estimate(items: Sequence[Item], limits: tuple[float, float | None] = (0.0, 1.0)) -> Estimate:
    """The mean of valued items by their weights, whole clusters drawn; `limits` are those of an item's value."""
    values, clusters = [item.value or 0.0 for item in items], [item.cluster for item in items]
    weights = [item.weight for item in items]
    if len(set(weights)) == 1:
        return mean_interval(values, clusters=clusters, range=limits)
    tops = [w * v for w, v in zip(weights, values, strict=True)]
    return ratio_interval(tops, weights, clusters=clusters, range=limits)


def over_prompts(groups: Mapping[str, Sequence[Item]], weights: Mapping[str, float]) -> Estimate:
    """The sum of weight x mean over groups that share prompts, with an interval over whole prompts.

    An item counts by its distance from its group's mean, as it moves the sum.
    """
    count = sum(len(groups[name]) for name in weights)
    means = {name: fmean(item.value or 0.0 for item in groups[name]) for name in weights}
    value = math.fsum(weight * means[name] for name, weight in weights.items())
    moved, clusters = [], []
    for name, weight in weights.items():
        share = count * weight / len(groups[name])
        moved += [value + share * ((item.value or 0.0) - means[name]) for item in groups[name]]
        clusters += [item.cluster for item in groups[name]]
    return mean_interval(moved, clusters=clusters, method="mean")


def wider(one: Estimate, other: Estimate) -> Estimate:
    """The first estimate with the wider interval of both: parts that share prompts are no independent ones."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return one
    if other.high - other.low <= one.high - one.low:
        return one
    return replace(one, low=other.low, high=other.high, method=other.method)


def pooled(said: Declaration, groups: Mapping[str, Sequence[Item]], policy: str, name: str) -> ProbeScore:
    """The headline as a formula over the means of further scores, whose items are `groups`; prompts are drawn whole."""
    rules = {rule.name: rule for rule in said.scores}
    first, formula = said.scores[0], said.aggregate.formula
    applied = {key: apply_policy(items, policy, scale_of(rules[key])) for key, items in groups.items()}
    turned = {key: rules[key].worst > rules[key].best for key in groups}
    worst = {key: found.best if turned[key] else found.worst for key, found in applied.items()}
    best = {key: found.worst if turned[key] else found.best for key, found in applied.items()}
    ends = (number_of(formula, worst), number_of(formula, best))
    one = next(iter(applied.values()))
    note = "; ".join(filter(None, [one.reason, one.losses.warning, f"policy {one.policy}" if one.lost else ""]))
    if any(found.value is None for found in applied.values()):
        estimate = Estimate(math.nan, None, None, len(next(iter(groups.values()))), "none: the policy gives no score")
    else:
        value = number_of(formula, {key: found.value for key, found in applied.items()})
        kept = {key: filled(items, one.policy, scale_of(rules[key])) for key, items in groups.items()}
        estimate = _drawn(formula, kept, value)
    return ProbeScore(name, "", estimate, first.worst, first.best, bounds=ends, note=note)


def scale_of(rule: ScoreRule) -> Scale:
    """The scale between a score's worst and best values."""
    return Scale(min(rule.worst, rule.best), max(rule.worst, rule.best), whole=False)


def _drawn(formula: str, groups: Mapping[str, Sequence[Item]], value: float) -> Estimate:
    """`value` with the percentiles of the formula over prompts drawn anew."""
    clusters = {name: place for place, name in enumerate({i.cluster: None for g in groups.values() for i in g})}
    columns = np.zeros((len(clusters), 2 * len(groups)))
    for place, items in enumerate(groups.values()):
        for item in items:
            row = columns[clusters[item.cluster]]
            row[2 * place] += item.weight * (item.value or 0.0)
            row[2 * place + 1] += item.weight
    sums = resampled_sums(columns, RESAMPLES, np.random.default_rng(0))
    means = sums[:, ::2] / np.maximum(sums[:, 1::2], 1e-12)
    drawn = np.array([number_of(formula, dict(zip(groups, row, strict=True))) for row in means.tolist()])
    low, high = percentiles(drawn) or (None, None)
    count = len(next(iter(groups.values())))
    return Estimate(value, low, high, count, f"percentile bootstrap over {len(clusters):,} prompts")
