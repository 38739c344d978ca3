"""How many samples a comparison needs before any is made: means and shares, paired or independent, in clusters or not.

The power is that of the test that evalkit runs (`stats/paired.py`), at size alpha: McNemar's exact test of paired shares,
the interval of independent ones, sign flips of few units, and Student's t of means and of clusters. Clusters of m
samples with intraclass correlation r inflate the variance by 1 + (m - 1) r (Kish 1965).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from evalkit.errors import EvalkitError
from evalkit.stats.paired import EXACT_FLIPS
from evalkit.stats.rejection import flips_power, mcnemar_power, mean_power, shares_power

HALVINGS = 14  # after the smallest difference is known to a factor of 2


@dataclass(frozen=True)
class Study:
    """A comparison to plan: what is measured, how it varies, and what must be found.

    `sd`: of one sample's value (means); `p`: share of the weaker system (shares); `correlation`: of two systems on one
    sample (paired); `discordant`: share of samples on which paired systems disagree (else from p and correlation);
    `per_prompt` samples in a cluster with `icc`; `systems` compared pairwise share alpha by Bonferroni.
    """

    mde: float
    measure: Literal["mean", "share"] = "share"
    design: Literal["paired", "independent"] = "paired"
    sd: float = 1.0
    p: float = 0.5
    correlation: float = 0.5
    discordant: float | None = None
    per_prompt: int = 1
    icc: float = 0.0
    systems: int = 2
    alpha: float = 0.05
    power: float = 0.8


@dataclass(frozen=True)
class Plan:
    """`prompts` with `samples` of each system in all; `power` reached with them; `effect`: design effect; `alpha` a test."""

    study: Study
    samples: int
    prompts: int
    power: float
    effect: float
    alpha: float


def plan(study: Study) -> Plan:
    """The smallest number of prompts that reaches the study's power; raises `EvalkitError` for values out of range.

    >>> plan(Study(mde=0.02, p=0.6)).samples > plan(Study(mde=0.05, p=0.6)).samples
    True
    """
    _check(study)
    low, high = 1, 2
    while power_of(study, high) < study.power:
        low, high = high, high * 2
        if high > 10**12:
            raise EvalkitError("more than a trillion prompts would be needed; ask for a larger --mde")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(study, middle) >= study.power else (middle, high)
    return Plan(study, high * study.per_prompt, high, power_of(study, high), _effect(study), _alpha(study))


def power_of(study: Study, prompts: int) -> float:
    """Chance that `prompts` find the difference; 0 where no test is possible."""
    _check(study)
    alpha, n = _alpha(study), prompts * study.per_prompt / _effect(study)
    paired = study.design == "paired"
    if study.measure == "share" and study.per_prompt == 1 and paired:
        return mcnemar_power(prompts, discordance(study), study.mde, alpha)
    if study.measure == "share" and not paired:
        return shares_power(max(1, round(n)), study.p, study.p + study.mde, alpha)
    if prompts < 2:
        return 0.0
    spread = _spread(study)
    shift = study.mde / (spread / math.sqrt(n)) if spread > 0 else math.inf
    if paired and prompts <= EXACT_FLIPS:
        return flips_power(prompts, min(shift, 1e6), alpha)
    if math.isinf(shift):
        return 1.0
    return mean_power(prompts, shift, alpha, paired=paired)


def smallest_effect(study: Study, prompts: int) -> float:
    """The smallest difference that `prompts` find with the study's power."""
    top = 1.0 - study.p if study.measure == "share" else 100.0 * study.sd
    high = top
    while high > 1e-12 * top and _finds(study, high / 2, prompts):
        high /= 2
    low = high / 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _finds(study, middle, prompts) else (middle, high)
    return high


def _finds(study: Study, difference: float, prompts: int) -> bool:
    """Whether so many prompts find the difference with the study's power; not where it is out of range."""
    try:
        return power_of(replace(study, mde=difference), prompts) >= study.power
    except EvalkitError:
        return False


def _spread(study: Study) -> float:
    """Standard deviation of the difference of two samples."""
    if study.measure == "share":
        return math.sqrt(max(discordance(study) - study.mde**2, 0.0))
    return study.sd * math.sqrt(2 * (1 - study.correlation) if study.design == "paired" else 2.0)


def discordance(study: Study) -> float:
    """Share of samples on which two paired systems disagree: as given, or from their shares and correlation."""
    if study.discordant is not None:
        return study.discordant
    a, b = study.p, study.p + study.mde
    both = a * b + study.correlation * math.sqrt(a * (1 - a) * b * (1 - b))
    both = min(both, a, b)
    return max(a + b - 2 * both, study.mde)


def _effect(study: Study) -> float:
    return 1 + (study.per_prompt - 1) * study.icc


def _alpha(study: Study) -> float:
    return study.alpha / (study.systems * (study.systems - 1) // 2)


def _check(study: Study) -> None:
    rules = (
        (study.mde > 0, f"--mde is a positive difference; {study.mde} was given"),
        (0 < study.alpha < 1 and 0 < study.power < 1, "--alpha and --power lie between 0 and 1"),
        (study.power > study.alpha, f"--power {study.power} must lie above --alpha {study.alpha}"),
        (study.sd > 0, f"--sd is positive; {study.sd} was given"),
        (-1 <= study.correlation < 1, f"--correlation lies from -1 to below 1; {study.correlation} was given"),
        (0 <= study.icc <= 1 and study.per_prompt >= 1, "--icc lies from 0 to 1 and --per-prompt is 1 or more"),
        (study.systems >= 2, f"--systems is 2 or more; {study.systems} was given"),
        (
            study.measure == "mean" or 0 < study.p < study.p + study.mde < 1,
            f"shares lie between 0 and 1: --p {study.p} plus --mde {study.mde} does not; give a smaller one",
        ),
        (
            study.discordant is None or study.mde <= study.discordant <= 1,
            f"--discordant lies from --mde to 1; {study.discordant} was given",
        ),
    )
    for holds, message in rules:
        if not holds:
            raise EvalkitError(message)
