"""Does a plan keep its promise? The tests that evalkit runs, on as many samples as a plan says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from laws import Array

from evalkit.stats.combined import weighted_sum
from evalkit.stats.intervals import mean_interval
from evalkit.stats.paired import paired_difference
from evalkit.stats.power import Study, discordance, plan

ALPHA = 0.05
STUDIES = {
    "verdicts, one in two right": Study(mde=0.1, p=0.5, discordant=0.3),
    "verdicts, nearly all right": Study(mde=0.03, p=0.95),
    "verdicts of two sets of prompts": Study(mde=0.2, p=0.6, design="independent"),
    "verdicts of two sets, nearly all right": Study(mde=0.06, p=0.92, design="independent"),
    "means, many pairs": Study(mde=0.4, measure="mean"),
    "means, twenty pairs": Study(mde=0.66, measure="mean"),
    "means, ten pairs (sign flips)": Study(mde=1.0, measure="mean"),
    "means of two sets of samples": Study(mde=0.6, measure="mean", design="independent"),
    "scores, four a prompt": Study(mde=0.3, measure="mean", per_prompt=4, icc=0.4),
}


def power(replications: int) -> Iterator[dict[str, Any]]:
    """How often the tests reject, and how often the plan says that they do."""
    for place, (name, study) in enumerate(STUDIES.items()):
        made, rng = plan(study), np.random.default_rng([10, place])
        found = [_reject(study, made.prompts, rng) for _ in range(replications)]
        share = float(np.mean([rejects for rejects, _ in found]))
        yield {
            "what": "power",
            "law": name,
            "n": made.prompts,
            "method": found[0][1],
            "replications": replications,
            "coverage": round(share, 4),
            "error": round(float(np.sqrt(share * (1 - share) / replications)), 4),
            "promised": round(made.power, 4),
        }


def _reject(study: Study, prompts: int, rng: np.random.Generator) -> tuple[bool, str]:
    one, two, clusters = _drawn(study, prompts, rng)
    if study.design == "independent":
        # the interval of independent_difference, without its p, which costs far more
        found = weighted_sum([mean_interval(one), mean_interval(two)], (1.0, -1.0))
        return not float(found.low or 0) <= 0 <= float(found.high or 0), "independent_difference"
    found_p = paired_difference(one, two, clusters=clusters).p
    return found_p < ALPHA, "paired_difference"


def _drawn(study: Study, n: int, rng: np.random.Generator) -> tuple[Array, Array, Array | None]:
    if study.measure == "share" and study.design == "independent":
        a, b = study.p, study.p + study.mde
        return (rng.random(n) < b).astype(float), (rng.random(n) < a).astype(float), None
    if study.measure == "share":
        apart = discordance(study)
        cell = rng.choice(3, n, p=[(apart + study.mde) / 2, (apart - study.mde) / 2, 1 - apart])
        return (cell == 0).astype(float), (cell == 1).astype(float), None
    if study.design == "independent":
        return rng.normal(study.mde, study.sd, n), rng.normal(0, study.sd, n), None
    spread = study.sd * np.sqrt(2 * (1 - study.correlation))
    k = study.per_prompt
    shared = np.repeat(rng.normal(0, np.sqrt(study.icc), n), k)
    apart = study.mde + spread * (shared + rng.normal(0, np.sqrt(1 - study.icc), n * k))
    return apart, np.zeros(n * k), np.repeat(np.arange(n), k) if k > 1 else None
