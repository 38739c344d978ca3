"""A score under a policy for lost items, and beside it the bounds with all of them worst and all of them best."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.judges.aggregates import Aggregate, mean_of_items
from evalkit.judges.losses import LossTest, loss_test
from evalkit.judges.parse import Scale
from evalkit.judges.policy import Item, Policy, policy_of

REPEATS = 400  # of random guesses
ENDS: tuple[Literal[0], Literal[1]] = (0, 1)  # worst, best


@dataclass(frozen=True)
class PolicyScore:
    """A score under a policy. `value` is None where the policy gives none, and `reason` says why.

    `worst`, `best`: the score with every lost item at the lower and at the upper end of the scale. `coverage`: share of
    items that were answered. `lost`: counts by state. `losses`: whether categories lose alike. `spread`: the range of
    95 % of the scores that random guesses give; `value` is that of guesses at their mean then.
    """

    policy: str
    value: float | None
    worst: float
    best: float
    coverage: float
    lost: Mapping[str, int]
    losses: LossTest
    reason: str = ""
    spread: tuple[float, float] | None = None


def apply_policy(
    items: Sequence[Item],
    policy: Policy | str,
    scale: Scale,
    aggregate: Aggregate = mean_of_items,
    *,
    guesses: Sequence[float] | None = None,
    seed: int = 0,
) -> PolicyScore:
    """The score of `items` whose values lie on `scale` (higher is better), with its bounds.

    `guesses`: what a random guess may be, each alike; by default the whole numbers of the scale, or any number on it.
    Raises `EvalkitError` for an unknown policy or where there is no item.
    """
    rule = policy_of(policy) if isinstance(policy, str) else policy
    if not items:
        raise EvalkitError("there is nothing to score. Give at least one item")
    lost = Counter(item.state for item in items if item.value is None)
    worst, best = (aggregate([_at_end(item, scale, place) for item in items]) for place in ENDS)
    value, spread, reason = _scored(items, rule, scale, aggregate, guesses, seed)
    return PolicyScore(
        policy=rule.name,
        value=value,
        worst=worst,
        best=best,
        coverage=1 - lost.total() / len(items),
        lost=dict(lost),
        losses=loss_test([i.category for i in items], [i.value is None for i in items]),
        reason=reason,
        spread=spread,
    )


def filled(items: Sequence[Item], policy: Policy | str, scale: Scale) -> list[Item]:
    """The items that a policy keeps, each with a value, for intervals; a random guess stands at its expectation.

    Raises `EvalkitError` where the policy gives no score.
    """
    rule = policy_of(policy) if isinstance(policy, str) else policy
    middle = (scale.low + scale.high) / 2
    for item in items:
        if item.value is None and rule.action(item.state) == "abort":
            raise EvalkitError(
                f"{item.id} is {item.state}, and the policy {rule.name} gives no score then. Judge it again"
            )
    return _kept(items, rule, scale, middle)


def valued(item: Item, other: float) -> Item:
    """The item itself where it has a value, else with the value `other`."""
    return item if item.value is not None else replace(item, value=other, state="answered")


def _at_end(item: Item, scale: Scale, place: Literal[0, 1]) -> Item:
    """The item at its least (`place` 0) or at its most (1)."""
    if item.value is None or item.ends is None:
        return valued(item, (scale.low, scale.high)[place])
    return replace(item, value=item.ends[place], weight=item.ends[2])


def _kept(items: Sequence[Item], rule: Policy, scale: Scale, guess: float) -> list[Item]:
    ends = {"zero": 0.0, "worst": scale.low, "random": guess}
    actions = ["" if item.value is not None else rule.action(item.state) for item in items]
    kept = []
    for item, action in zip(items, actions, strict=True):
        own = action == "random" and item.guesses and not math.isnan(guess)
        if action != "drop":
            kept.append(valued(item, fmean(item.guesses) if own else ends.get(action, math.nan)))
    return kept


def _scored(
    items: Sequence[Item],
    rule: Policy,
    scale: Scale,
    aggregate: Aggregate,
    guesses: Sequence[float] | None,
    seed: int,
) -> tuple[float | None, tuple[float, float] | None, str]:
    actions = ["" if item.value is not None else rule.action(item.state) for item in items]
    if count := actions.count("abort"):
        return None, None, f"{count} of {len(items)} items are lost, and the policy {rule.name} gives no score then"
    kept = _kept(items, rule, scale, math.nan)
    if not kept:
        return None, None, "every item is lost"
    open_places = [place for place, item in enumerate(kept) if item.value is not None and math.isnan(item.value)]
    if not open_places:
        return aggregate(kept), None, ""
    scores = [aggregate(_guessed(kept, open_places, scale, guesses, [seed, n])) for n in range(REPEATS)]
    low, high = np.quantile(scores, [0.025, 0.975])
    expected = (scale.low + scale.high) / 2 if guesses is None else fmean(guesses)
    return aggregate(_kept(items, rule, scale, expected)), (float(low), float(high)), ""


def _guessed(
    kept: Sequence[Item], places: Sequence[int], scale: Scale, guesses: Sequence[float] | None, seed: list[int]
) -> list[Item]:
    """`kept` with a random guess at each of the `places`."""
    rng = np.random.default_rng(seed)
    if guesses is None and scale.whole:
        guesses = range(int(scale.low), int(scale.high) + 1)
    size = len(places)
    drawn = (
        rng.uniform(scale.low, scale.high, size) if guesses is None else rng.choice(np.asarray(guesses, float), size)
    )
    filled = list(kept)
    for place, guess in zip(places, drawn.tolist(), strict=True):
        own = kept[place].guesses
        filled[place] = replace(kept[place], value=own[rng.integers(len(own))] if own else float(guess))
    return filled
