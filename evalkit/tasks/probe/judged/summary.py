"""The scores of a judged suite: headline, categories, further scores, bounds, and what evalkit-1's parser changes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalkit.judges.aggregates import Aggregate, by_category, mean_of_items, weighted_categories
from evalkit.judges.parse import Scale
from evalkit.judges.policy import Item
from evalkit.judges.scored import PolicyScore, apply_policy, filled
from evalkit.metrics.base import Estimate
from evalkit.protocols.judged.declaration import AggregateRule, Declaration, ScoreRule
from evalkit.stats.combined import weighted_sum
from evalkit.stats.intervals import mean_interval, ratio_interval
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore

CORRECTED = "evalkit-1"


def summarise(said: Declaration, rows: Sequence[ProbeRow], policy: str) -> tuple[ProbeScore, ...]:
    """Every score of `rows`, among which missing images stand as such; pure."""
    first, *rest = said.scores
    headline = _headline(said, rows, first, policy)
    again = _one(said, _items(rows, first, CORRECTED), first, policy, f"{said.name}/{CORRECTED}")
    scores = [headline, *_categories(said, rows, first, policy), replace(again, part=f"{CORRECTED}:{first.name}")]
    for rule in rest:
        items, used = _items(rows, rule, "official"), rule.policy or policy
        scores.append(replace(_one(said, items, rule, used, f"{said.name}/{rule.name}"), part=rule.name))
        scores += _categories(said, rows, rule, used, f"/{rule.name}") if said.by_category else []
    return (*scores, *_of_parts(said, rows))


def shares(rule: AggregateRule, present: Sequence[str]) -> dict[str, float]:
    """The weight of each category that is there; weights of what is missing are shared out. Empty: items are pooled.

    >>> shares(AggregateRule("weighted", {"a": 0.5, "b": 0.5, "c": 1.0}), ["a", "b"])["a"]
    0.5
    """
    if rule.kind == "items":
        return {}
    if rule.kind == "weighted":
        found = {name: weight for name, weight in rule.weights.items() if name in present}
        total = math.fsum(found.values())
        return {name: weight / total for name, weight in found.items()}
    groups = rule.groups if rule.kind == "groups" else {name: (name,) for name in present}
    there = [[name for name in group if name in present] for group in groups.values()]
    there = [group for group in there if group]
    return {name: 1 / len(there) / len(group) for group in there for name in group}


def _headline(said: Declaration, rows: Sequence[ProbeRow], rule: ScoreRule, policy: str) -> ProbeScore:
    score = _one(said, _items(rows, rule, "official"), rule, policy, said.name)
    there = {row.task for row in rows}
    wanted = set(said.aggregate.weights) or {name for group in said.aggregate.groups.values() for name in group}
    lacking = len(wanted - there)
    notes = [score.note, f"{lacking} of {len(wanted)} categories have no item" if lacking else ""]
    read, again = (sum(item.value is not None for item in _items(rows, rule, name)) for name in ("official", CORRECTED))
    if read != again:
        notes.append(f"the official parser reads {read:,} of {len(rows):,} images, that of {CORRECTED} {again:,}")
    return replace(score, part="", note="; ".join(filter(None, notes)))


def _one(said: Declaration, items: Sequence[Item], rule: ScoreRule, policy: str, name: str) -> ProbeScore:
    """One score over all items under a policy, with its bounds."""
    scale, turned = _scale(rule), rule.worst > rule.best
    aggregate = _aggregate(said.aggregate, items)
    applied = apply_policy(items, policy, scale, aggregate)
    estimate = _estimate(said.aggregate, items, applied, scale)
    ends = (applied.best, applied.worst) if turned else (applied.worst, applied.best)
    told = [applied.reason, applied.losses.warning, f"policy {applied.policy}" if applied.lost else ""]
    if applied.spread is not None:
        told.append(f"random guesses move it from {applied.spread[0]:.4g} to {applied.spread[1]:.4g}")
    high = None if math.isinf(scale.high) else scale.high
    note = "; ".join(filter(None, told))
    return ProbeScore(name, "", estimate, scale.low, high, bounds=ends, note=note, better=_better(rule))


def _estimate(rule: AggregateRule, items: Sequence[Item], applied: PolicyScore, scale: Scale) -> Estimate:
    if applied.value is None:
        return Estimate(math.nan, None, None, len(items), "none: the policy gives no score")
    kept = filled(items, applied.policy, scale)
    weights = shares(rule, [item.category for item in kept])
    limits = (scale.low, None if math.isinf(scale.high) else scale.high)
    if not weights:
        found = mean_estimate(kept, limits)
    else:
        groups = by_category(kept)
        found = weighted_sum([mean_estimate(groups[name], limits) for name in weights], list(weights.values()))
    low, high = (None if x is None else min(max(x, scale.low), scale.high) for x in (found.low, found.high))
    return replace(found, value=applied.value, low=low, high=high)


def mean_estimate(items: Sequence[Item], limits: tuple[float, float | None] = (0.0, 1.0)) -> Estimate:
    """The mean of valued items by their weights, whole clusters drawn; `limits` are those of an item's value."""
    values, clusters = [item.value or 0.0 for item in items], [item.cluster for item in items]
    weights = [item.weight for item in items]
    if len(set(weights)) == 1:
        return mean_interval(values, clusters=clusters, range=limits)
    tops = [w * v for w, v in zip(weights, values, strict=True)]
    return ratio_interval(tops, weights, clusters=clusters, range=limits)


def _categories(
    said: Declaration, rows: Sequence[ProbeRow], rule: ScoreRule, policy: str, whose: str = ""
) -> list[ProbeScore]:
    """The headline's categories under the policy; those that keep no item are left out."""
    scale = _scale(rule)
    if said.aggregate.kind == "items" and not said.by_category and len({row.task for row in rows}) < 2:
        return []
    found = []
    for name, items in by_category(_items(rows, rule, "official")).items():
        applied = apply_policy(items, policy, scale)
        if applied.value is not None:
            estimate = _estimate(AggregateRule(), items, applied, scale)
            high = None if math.isinf(scale.high) else scale.high
            bounds = (applied.worst, applied.best)
            label, part = f"{said.name}{whose}/{name}", rule.name if whose else ""
            found.append(
                ProbeScore(label, name, estimate, scale.low, high, bounds=bounds, part=part, better=_better(rule))
            )
    return found


def _of_parts(said: Declaration, rows: Sequence[ProbeRow]) -> list[ProbeScore]:
    """Means over single questions by their category, also where their image has no score."""
    groups: dict[str, list[Item]] = {}
    for row in rows:
        for place, (name, value) in enumerate(row.details.get("parts", ())):
            groups.setdefault(name, []).append(Item(f"{row.image}/{place}", name, value, cluster=row.prompt))
    return [ProbeScore(f"{said.name}/{name}", "", mean_estimate(items), part="-") for name, items in groups.items()]


def _items(rows: Sequence[ProbeRow], rule: ScoreRule, reader: str) -> list[Item]:
    """An item for each image, by the parser `reader`."""
    items = []
    for row in rows:
        read: Mapping[str, Any] = row.details.get(reader, {})
        value, state = read.get("values", {}).get(rule.name), str(read.get("state", row.state))
        value = None if value is None or math.isnan(value) else float(value)
        state = "answered" if value is not None else "unparsed" if state == "answered" else state
        weight = float(read.get("weights", {}).get(rule.name, 1.0))
        items.append(Item(f"{row.prompt}-{row.sample}", row.task, value, state, weight, row.prompt))
    return items


def _aggregate(rule: AggregateRule, items: Sequence[Item]) -> Aggregate:
    """The suite's aggregate, over the categories that are there."""
    if rule.kind == "items":
        return mean_of_items

    def aggregate(kept: Sequence[Item]) -> float:
        return weighted_categories(shares(rule, [item.category for item in kept]), rule.digits)(kept)

    return aggregate


def _better(rule: ScoreRule) -> str:
    return "lower" if rule.worst > rule.best else "higher"


def _scale(rule: ScoreRule) -> Scale:
    return Scale(min(rule.worst, rule.best), max(rule.worst, rule.best), whole=False)
