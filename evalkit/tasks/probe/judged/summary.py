"""The scores of a judged suite: headline, categories, further scores, bounds, and what evalkit-1's parser changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from evalkit.judges.aggregates import Aggregate, by_category, mean_of_items, weighted_categories
from evalkit.judges.parse import Scale
from evalkit.judges.policy import Item
from evalkit.judges.scored import PolicyScore, apply_policy, filled
from evalkit.metrics.base import Estimate
from evalkit.protocols.judged.declaration import AggregateRule, Declaration, ScoreRule
from evalkit.stats.combined import weighted_sum
from evalkit.tasks.probe.judged.counted import (
    CORRECTED,
    items_of,
    mean_estimate,
    over_prompts,
    pooled,
    scale_of,
    split_items,
    whole_items,
    wider,
)
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore


def summarise(said: Declaration, rows: Sequence[ProbeRow], policy: str) -> tuple[ProbeScore, ...]:
    """Every score of `rows`, among which missing images stand as such; pure."""
    first, *rest = said.scores
    headline = _headline(said, rows, first, policy)
    again = _main(said, rows, CORRECTED, policy, f"{said.name}/{CORRECTED}")
    scores = [headline, *_categories(said, rows, first, policy), replace(again, part=f"{CORRECTED}:{first.name}")]
    for rule in rest:
        items, used = items_of(rows, rule, "official"), rule.policy or policy
        scores.append(replace(_one(said, items, rule, used, f"{said.name}/{rule.name}"), part=rule.name))
        scores += _categories(said, rows, rule, used, f"/{rule.name}") if said.by_category else []
    return (*scores, *_of_parts(said, rows))


def shares(rule: AggregateRule, present: Sequence[str]) -> dict[str, float]:
    """The weight of each category that is there; weights of what is missing are shared out. Empty: items are pooled.

    >>> shares(AggregateRule("weighted", {"a": 0.5, "b": 0.5, "c": 1.0}), ["a", "b"])["a"]
    0.5
    """
    if rule.kind in ("items", "pooled"):
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
    score = _main(said, rows, "official", policy, said.name)
    there = {item.category for item in _headline_items(said, rows, "official")}
    wanted = set(said.aggregate.weights) or {name for group in said.aggregate.groups.values() for name in group}
    lacking = len(wanted - there)
    notes = [score.note, f"{lacking} of {len(wanted)} categories have no item" if lacking else ""]
    read, again = (
        sum(item.value is not None for item in items_of(rows, rule, name)) for name in ("official", CORRECTED)
    )
    if read != again:
        notes.append(f"the official parser reads {read:,} of {len(rows):,} images, that of {CORRECTED} {again:,}")
    return replace(score, part="", note="; ".join(filter(None, notes)))


def _main(said: Declaration, rows: Sequence[ProbeRow], reader: str, policy: str, name: str) -> ProbeScore:
    """The headline by one parser."""
    if said.aggregate.kind == "pooled":
        return pooled(said, {rule.name: items_of(rows, rule, reader) for rule in said.scores[1:]}, policy, name)
    return _one(said, _headline_items(said, rows, reader), said.scores[0], policy, name)


def _headline_items(said: Declaration, rows: Sequence[ProbeRow], reader: str) -> list[Item]:
    """The items of the headline: images, or what each counts in its several categories."""
    return split_items(rows, reader) if said.aggregate.each else items_of(rows, said.scores[0], reader)


def _one(said: Declaration, items: Sequence[Item], rule: ScoreRule, policy: str, name: str) -> ProbeScore:
    """One score over all items under a policy, with its bounds."""
    scale, kind = scale_of(rule), AggregateRule(rule.over) if rule.over else said.aggregate
    if not items:
        nothing = Estimate(math.nan, None, None, 0, "none: no image is of this score")
        return ProbeScore(name, "", nothing, scale.low, scale.high, better=_better(rule))
    aggregate = _aggregate(kind, items)
    applied = apply_policy(items, policy, scale, aggregate)
    ends = _ends(rule, applied)
    if said.aggregate.whole and policy == said.policy:
        items = whole_items(items)
        applied = apply_policy(items, policy, scale, aggregate)
    estimate = _estimate(kind, items, applied, scale)
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
        found = wider(found, over_prompts(groups, weights)) if rule.each else found
    low, high = (None if x is None else min(max(x, scale.low), scale.high) for x in (found.low, found.high))
    return replace(found, value=applied.value, low=low, high=high)


def _categories(
    said: Declaration, rows: Sequence[ProbeRow], rule: ScoreRule, policy: str, whose: str = ""
) -> list[ProbeScore]:
    """The headline's categories under the policy; those that keep no item are left out."""
    scale = scale_of(rule)
    if said.aggregate.kind == "items" and not said.by_category and len({row.task for row in rows}) < 2:
        return []
    found = []
    headline = rule == said.scores[0]
    found_items = _headline_items(said, rows, "official") if headline else items_of(rows, rule, "official")
    if said.aggregate.whole and policy == said.policy:
        found_items = whole_items(found_items)
    for name, items in by_category(found_items).items():
        applied = apply_policy(items, policy, scale)
        if applied.value is not None:
            estimate = _estimate(AggregateRule(), items, applied, scale)
            high = None if math.isinf(scale.high) else scale.high
            label, part = f"{said.name}{whose}/{name}", rule.name if whose else ""
            found.append(
                ProbeScore(
                    label, name, estimate, scale.low, high, bounds=_ends(rule, applied), part=part, better=_better(rule)
                )
            )
    return found


def _of_parts(said: Declaration, rows: Sequence[ProbeRow]) -> list[ProbeScore]:
    """Means over single questions by their category, also where their image has no score."""
    groups: dict[str, list[Item]] = {}
    for row in rows:
        for place, (name, value) in enumerate(row.details.get("parts", ())):
            groups.setdefault(name, []).append(Item(f"{row.image}/{place}", name, value, cluster=row.prompt))
    scale = scale_of(said.scores[0])
    low, high = scale.low, None if math.isinf(scale.high) else scale.high
    return [
        ProbeScore(f"{said.name}/{name}", "", mean_estimate(items, (low, high)), low, high, part="-")
        for name, items in groups.items()
    ]


def _aggregate(rule: AggregateRule, items: Sequence[Item]) -> Aggregate:
    """The suite's aggregate, over the categories that are there."""
    if rule.kind == "items":
        return mean_of_items

    def aggregate(kept: Sequence[Item]) -> float:
        return weighted_categories(shares(rule, [item.category for item in kept]), rule.digits)(kept)

    return aggregate


def _ends(rule: ScoreRule, applied: PolicyScore) -> tuple[float, float]:
    """The value with all lost images worst, and with all of them best."""
    return (applied.best, applied.worst) if _better(rule) == "lower" else (applied.worst, applied.best)


def _better(rule: ScoreRule) -> str:
    return "lower" if rule.worst > rule.best else "higher"
