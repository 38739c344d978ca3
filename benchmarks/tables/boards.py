"""Ranks of coverage.py: how often all rank intervals of a board hold the true ranks at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from laws import PER_PROMPT, Array

from evalkit.leaderboard.entrants import Figure
from evalkit.leaderboard.rank import shared_errors
from evalkit.leaderboard.scores import Scores
from evalkit.leaderboard.terms import Terms
from evalkit.stats.ranks import rank_intervals

Kind = Literal["simultaneous", "marginal"]
CASES: dict[str, Array] = {
    "all equal": np.zeros(8),
    "two groups": np.repeat([0.0, 0.5], 4),
    "one ahead": np.array([0.6, *np.zeros(7)]),
}
LAWS = ("normal", "skewed", "heavy", "verdicts by prompt", "verdicts, nearly all right", "mostly zeros")
N = 400


def ranks(replications: int) -> Iterator[dict[str, Any]]:
    """Eight systems on the same samples; and, for equal ones, intervals that hold for one system at a time."""
    for place, law in enumerate(LAWS):
        for name, gaps in CASES.items():
            kinds: tuple[Kind, ...] = ("simultaneous", "marginal") if name == "all equal" else ("simultaneous",)
            held: dict[Kind, list[bool]] = {kind: [] for kind in kinds}
            rng = np.random.default_rng([5, place, len(name)])
            best = 1 + (gaps[None, :] > gaps[:, None] + 1e-12).sum(1)
            worst = len(gaps) - (gaps[None, :] < gaps[:, None] - 1e-12).sum(1)
            for seed in range(replications):
                figures = board(law, rng, N, gaps)
                errors, values = shared_errors(figures), np.array([each.value for each in figures], np.float64)
                for kind in kinds:
                    found = rank_intervals(values, errors.covariance, df=errors.df, kind=kind, draws=1000, seed=seed)
                    held[kind].append(bool(np.all((found.best <= best) & (found.worst >= worst))))
            for kind, each in held.items():
                share = float(np.mean(each))
                yield {
                    "what": "ranks, joint",
                    "law": f"{law}, {name}",
                    "n": N,
                    "method": kind,
                    "replications": len(each),
                    "coverage": round(share, 4),
                    "error": round(float(np.sqrt(max(share * (1 - share), 1e-9) / len(each))), 4),
                }


def board(law: str, rng: np.random.Generator, n: int, gaps: Array) -> list[Figure]:
    """Figures of systems that are better by `gaps` on the same samples."""
    clusters: npt.NDArray[Any] | None = None
    m = len(gaps)
    if law == "verdicts by prompt":
        hard = np.repeat(rng.normal(0, 1, n // PER_PROMPT), PER_PROMPT)
        clusters = np.repeat([f"p{i}" for i in range(n // PER_PROMPT)], PER_PROMPT).astype(object)
        values = (hard + rng.normal(0, 1, (m, n)) + gaps[:, None] > 0).astype(float)
    elif law == "verdicts, nearly all right":
        values = (rng.random(n) + rng.random((m, n)) < 1.8 + 0.2 * gaps[:, None]).astype(float)
    elif law == "mostly zeros":
        values = rng.exponential(1 + gaps[:, None], (m, n)) * (rng.random(n) < 0.05)
    elif law == "heavy":
        values = rng.lognormal(0, 1.5, n) + rng.lognormal(0, 1.2, (m, n)) + gaps[:, None]
    elif law == "skewed":
        values = rng.gamma(1.5, 1.0, n) + rng.gamma(0.5, 1.5, (m, n)) + gaps[:, None]
    else:
        values = rng.normal(0, 4, n) + rng.normal(0, 1.5, (m, n)) + gaps[:, None]
    ids = np.array([f"s{i}" for i in range(n)], object)
    terms = Terms("task", "set", "metric", "protocol", n)
    return [
        Figure(
            number,
            terms,
            float(each.mean()),
            None,
            None,
            "",
            "",
            "higher",
            None,
            Scores(ids, each, None, 1.0, clusters, ""),
        )
        for number, each in enumerate(values)
    ]
