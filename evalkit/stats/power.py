"""How many samples a comparison needs before any is made: means and shares, paired or independent, in clusters or not.

The power of a two-sided test of size alpha to find a difference `mde` is that of a normal test; for means the noncentral
t is solved, so that small plans are right too. Paired shares are McNemar's test by its discordant pairs (Connor 1987,
doi:10.2307/2531961). Clusters of m samples with intraclass correlation r inflate by 1 + (m - 1) r (Kish 1965).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import ndtr, ndtri
from scipy.stats import nct, t

from evalkit.errors import EvalkitError


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
    n = prompts * study.per_prompt / _effect(study)
    if study.measure == "mean":
        return _power_of_mean(study, n, prompts)
    null, actual = _share_errors(study, n)
    z = float(ndtri(1 - _alpha(study) / 2))
    return float(ndtr((study.mde - z * null) / actual)) if actual > 0 else 1.0


def smallest_effect(study: Study, prompts: int) -> float:
    """The smallest difference that `prompts` find with the study's power."""
    top = 1.0 - study.p if study.measure == "share" else 100.0 * study.sd
    low, high = 0.0, top
    for _ in range(60):
        middle = (low + high) / 2
        try:
            enough = power_of(replace(study, mde=middle), prompts) >= study.power
        except EvalkitError:
            enough = False
        low, high = (low, middle) if enough else (middle, high)
    return high


def _power_of_mean(study: Study, n: float, prompts: int) -> float:
    paired = study.design == "paired"
    spread = study.sd * math.sqrt(2 * (1 - study.correlation) if paired else 2.0)
    df = float(prompts - 1 if paired else 2 * (prompts - 1))
    if df < 1:
        return 0.0
    if spread == 0:
        return 1.0
    shift = study.mde / (spread / math.sqrt(n))
    bound = float(t.ppf(1 - _alpha(study) / 2, df))
    if df > 1e5 or shift > 30:
        return float(ndtr(shift - bound))
    return float(nct.sf(bound, df, shift) + nct.cdf(-bound, df, shift))


def _share_errors(study: Study, n: float) -> tuple[float, float]:
    """Standard errors of a difference of shares: where there is none, and where it is `mde`."""
    a, b = study.p, study.p + study.mde
    if study.design == "independent":
        middle = (a + b) / 2
        return math.sqrt(2 * middle * (1 - middle) / n), math.sqrt((a * (1 - a) + b * (1 - b)) / n)
    disagree = discordance(study)
    return math.sqrt(disagree / n), math.sqrt(max(disagree - study.mde**2, 0.0) / n)


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
