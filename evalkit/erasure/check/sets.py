"""What the arms show on each set of prompts, with paired tests; and which words and concepts that is due to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evalkit.erasure.check.gates import Gates
from evalkit.erasure.check.items import DIRECT, LEAKS
from evalkit.erasure.check.judge import FAR, KEPT, NEAR
from evalkit.erasure.check.rows import ARMS, BASE, ERASED, FORCED, PREFIXES
from evalkit.metrics.base import Estimate
from evalkit.stats.discordant import Discordant, Kept, discordant, kept_within
from evalkit.stats.intervals import mean_interval
from evalkit.stats.multiplicity import holm

Columns = Mapping[str, Any]
SETS = (DIRECT, *LEAKS, NEAR, FAR, KEPT)


@dataclass(frozen=True)
class OfSet:
    """One set: `rates` by arm, pairs that disagree on the first image of each prompt, and the change over all images."""

    name: str
    prompts: int
    images: int
    dropped: int
    rates: Mapping[str, Estimate]
    pairs: Discordant
    change: Kept

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the record."""
        return asdict(self)


def of_sets(columns: Columns, gates: Gates) -> dict[str, OfSet]:
    """Every set that has images of both models."""
    found = {}
    for name in SETS:
        mine = columns["subset"] == name if name != KEPT else np.isin(columns["subset"].astype(str), (NEAR, FAR))
        rows = _rows(columns, mine)
        if rows.any():
            left = {*columns["prompt_id"][mine & (columns["dropped"] == 1)]}
            found[name] = _of_set(name, {k: v[rows] for k, v in columns.items()}, len(left), gates)
    return found


def _of_set(name: str, columns: Columns, dropped: int, gates: Gates) -> OfSet:
    prompts = columns["prompt_id"].astype(str)
    first = columns["sample"] == 0
    rates = {arm: rate(columns[arm], prompts) for arm in ARMS if arm in columns and not np.isnan(columns[arm]).all()}
    return OfSet(
        name,
        len(set(prompts)),
        len(prompts),
        dropped,
        rates,
        discordant(columns[BASE][first], columns[ERASED][first]),
        kept_within(columns[BASE], columns[ERASED], gates.margin, clusters=prompts),
    )


def rate(hits: Any, prompts: Any) -> Estimate:
    """A share with its interval over prompts; images of one prompt are one cluster."""
    known = ~np.isnan(hits)
    several = len(set(prompts[known])) < int(known.sum())
    return mean_interval(hits[known], clusters=prompts[known] if several else None)


@dataclass(frozen=True)
class Prefixed:
    """What a prefix of true codes brings back: hits of both models and of the control, and the excess over the control."""

    share: int
    rates: Mapping[str, Estimate]
    excess: Kept


def of_prefixes(columns: Columns, gates: Gates) -> list[Prefixed]:
    """One entry for each length of the prefix that was tried."""
    found = []
    for share in PREFIXES:
        names = [f"{who}_{share}" for who in FORCED]
        if not set(names) <= set(columns):
            continue
        good = ~np.isnan(np.stack([columns[name] for name in names])).any(0) & (columns["dropped"] == 0)
        if good.any():
            values = {who: columns[name][good] for who, name in zip(FORCED, names, strict=True)}
            prompts = columns["prompt_id"][good].astype(str)
            rates = {who: rate(each, prompts) for who, each in values.items()}
            found.append(
                Prefixed(share, rates, kept_within(values["control"], values[ERASED], gates.margin, clusters=prompts))
            )
    return found


@dataclass(frozen=True)
class Attack:
    """Shares of direct prompts on which one of the first `tries` further seeds shows the concept."""

    tries: int
    base: Estimate
    erased: Estimate


def of_attack(columns: Columns, budget: int) -> list[Attack]:
    """The curve over 1, 2, 4, … tries, up to the budget; the most of several tries grows by itself, so mind the base."""
    rows = (columns["subset"] == DIRECT) & (columns["sample"] == 0) & (columns["dropped"] == 0)
    ends = sorted({min(2**power, budget) for power in range(budget.bit_length() + 1)}) if budget and rows.any() else []
    firsts = [
        np.nan_to_num(columns.get(f"first_{who}", np.full(len(rows), np.nan))[rows], nan=np.inf)
        for who in (BASE, ERASED)
    ]
    return [Attack(end, *(mean_interval((first <= end).astype(np.float64)) for first in firsts)) for end in ends]


@dataclass(frozen=True)
class Searched:
    """Shares of the attacked prompts that show the concept: as they are, and as they are or as a search rewrote them.

    `budget`: evaluations of the erased model for each of the `prompts`; `won`: pairs of a prompt and what it became.
    """

    budget: int
    prompts: int
    before: Estimate
    after: Estimate
    won: tuple[tuple[str, str], ...]


def of_search(columns: Columns, budget: int) -> Searched | None:
    """What the search for prompts brought; None where no prompt was attacked. Failed attacks count in n."""
    if "found_shows" not in columns:
        return None
    rows = (columns["dropped"] == 0) & ~np.isnan(columns["found_shows"]) & ~np.isnan(columns[ERASED])
    if not rows.any():
        return None
    before, found = columns[ERASED][rows], columns["found_shows"][rows]
    texts = zip(columns["prompt"][rows], columns["found"][rows], before, found, strict=True)
    won = tuple((str(old), str(new)) for old, new, first, then in texts if then and not first)
    return Searched(budget, int(rows.sum()), mean_interval(before), mean_interval(np.maximum(before, found)), won)


@dataclass(frozen=True)
class OfConcept:
    """A retained concept: its distance from the erased one, shares of both models, and the loss's p over all concepts."""

    name: str
    distance: float | None
    images: int
    base: float
    erased: float
    p: float


def of_concepts(columns: Columns) -> list[OfConcept]:
    """Every retained concept, the nearest first; p by Holm over the concepts, from the pairs that disagree."""
    kept = _rows(columns, np.isin(columns["subset"].astype(str), (NEAR, FAR)))
    names = sorted({str(each) for each in columns["asked"][kept] if each})
    if not names:
        return []
    found, tests = [], []
    for name in names:
        rows = kept & (columns["asked"] == name)
        base, erased = columns[BASE][rows], columns[ERASED][rows]
        away = float(columns["distance"][rows][0]) if "distance" in columns else math.nan
        tests.append(discordant(base, erased).p)
        distance = None if math.isnan(away) else away
        found.append((name, distance, int(rows.sum()), float(base.mean()), float(erased.mean())))
    adjusted = holm(tests).tolist()
    made = [OfConcept(*each, p) for each, p in zip(found, adjusted, strict=True)]
    return sorted(made, key=lambda each: (math.inf if each.distance is None else each.distance, each.name))


def worst_prompts(columns: Columns, name: str, most: int = 3) -> list[str]:
    """Prompts of a set on which the erased model shows the concept most."""
    rows = _rows(columns, columns["subset"] == name)
    hits: dict[str, list[float]] = {}
    for prompt, hit in zip(columns["prompt"][rows], columns[ERASED][rows], strict=True):
        hits.setdefault(str(prompt), []).append(float(hit))
    means = {prompt: sum(each) / len(each) for prompt, each in hits.items()}
    return [prompt for prompt in sorted(means, key=lambda p: (-means[p], p)) if means[prompt] > 0][:most]


def _rows(columns: Columns, chosen: Any) -> Any:
    return chosen & (columns["dropped"] == 0) & ~np.isnan(columns[BASE]) & ~np.isnan(columns[ERASED])
