"""Do 95 % intervals hold the truth in 95 of 100 experiments? Means, paired differences, Fréchet distances, and ranks.

python benchmarks/tables/coverage.py [SHARE]   (writes benchmarks/tables/coverage.csv; SHARE of the replications, 1 by default)

Every row is a made-up experiment, repeated: data are drawn, the interval is taken as evalkit takes it, and it is counted
how often it holds the known truth. Ranks are those of leaderboards (`joint`: all systems at once). The truth of a
Fréchet distance is what its estimator gives on average at this n (its intervals speak of sampling only), and for the
extrapolated one the distance of the two laws.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from evalkit.leaderboard.entrants import Figure
from evalkit.leaderboard.rank import shared_errors
from evalkit.leaderboard.scores import Scores
from evalkit.leaderboard.terms import Terms
from evalkit.metrics.base import Estimate
from evalkit.metrics.fid_infinity import fid_infinity
from evalkit.metrics.frechet import frechet_distance, paired_frechet
from evalkit.metrics.moments import Moments
from evalkit.stats.intervals import mean_interval
from evalkit.stats.paired import paired_difference
from evalkit.stats.ranks import rank_intervals

Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Array]
OUT = Path(__file__).parent / "coverage.csv"
PER_PROMPT = 4
RESAMPLES = 600  # fewer than evalkit takes, which costs its intervals a little
NORMAL: Draw = lambda rng, n: rng.normal(25, 4, n)  # noqa: E731 (a PSNR)
SKEWED: Draw = lambda rng, n: rng.gamma(1.5, 1.0, n)  # noqa: E731 (an LPIPS, an edit distance)
HEAVY: Draw = lambda rng, n: rng.lognormal(0, 1, n)  # noqa: E731
RARE: Draw = lambda rng, n: (rng.random(n) < 0.1).astype(float)  # noqa: E731 (a failure)
OFTEN: Draw = lambda rng, n: (rng.random(n) < 0.7).astype(float)  # noqa: E731 (a GenEval verdict)
LAWS: dict[str, tuple[Draw, float]] = {
    "normal": (NORMAL, 25.0),
    "skewed (gamma 1.5)": (SKEWED, 1.5),
    "heavy (lognormal)": (HEAVY, float(np.exp(0.5))),
    "share 0.1": (RARE, 0.1),
    "share 0.7": (OFTEN, 0.7),
}


def row(what: str, law: str, n: int, method: str, held: list[bool], widths: list[float]) -> dict[str, Any]:
    """One line of the table; `error` is the standard error of the coverage over the replications."""
    share = float(np.mean(held))
    return {
        "what": what,
        "law": law,
        "n": n,
        "method": method,
        "replications": len(held),
        "coverage": round(share, 4),
        "error": round(float(np.sqrt(max(share * (1 - share), 1e-9) / len(held))), 4),
        "mean_width": round(float(np.mean(widths)), 5),
    }


def _percentile(values: Array, seed: int) -> Estimate:
    """Quantiles of the means of resamples, which most toolkits state."""
    n = len(values)
    counts = np.random.default_rng([seed, n, RESAMPLES]).multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    low, high = np.quantile(counts @ values / n, [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high), n, "percentile bootstrap")


def means(replications: int) -> Iterator[dict[str, Any]]:
    """A mean of independent samples: as runs and boards take it."""
    for name, (draw, truth) in LAWS.items():
        for n in (30, 100, 500):
            rng = np.random.default_rng([1, n])
            held: dict[str, list[bool]] = {}
            widths: dict[str, list[float]] = {}
            for seed in range(replications):
                values = draw(rng, n)
                for method, estimate in (
                    ("mean_interval", mean_interval(values, resamples=RESAMPLES, seed=seed)),
                    ("percentile bootstrap", _percentile(values, seed)),
                ):
                    held.setdefault(method, []).append(_holds(estimate.low, truth, estimate.high))
                    widths.setdefault(method, []).append(float(estimate.high or 0) - float(estimate.low or 0))
            for method in held:
                yield row("mean", name, n, method, held[method], widths[method])


def clustered_means(replications: int) -> Iterator[dict[str, Any]]:
    """Four images a prompt whose verdicts hang together, with prompts drawn and with samples drawn as if alone."""
    for prompts in (50, 200):
        rng = np.random.default_rng([2, prompts])
        held: dict[str, list[bool]] = {"by prompt": [], "as if independent": []}
        widths: dict[str, list[float]] = {"by prompt": [], "as if independent": []}
        for _ in range(replications):
            chance = np.repeat(rng.beta(1.4, 0.6, prompts), PER_PROMPT)
            values = (rng.random(len(chance)) < chance).astype(float)
            names = np.repeat(np.arange(prompts), PER_PROMPT)
            for method, clusters in (("by prompt", names), ("as if independent", None)):
                estimate = mean_interval(values, clusters=clusters, resamples=RESAMPLES)
                held[method].append(_holds(estimate.low, 0.7, estimate.high))
                widths[method].append(float(estimate.high or 0) - float(estimate.low or 0))
        for method in held:
            law = f"verdicts, {PER_PROMPT} a prompt"
            yield row("mean", law, prompts * PER_PROMPT, f"mean_interval, {method}", held[method], widths[method])


def differences(replications: int) -> Iterator[dict[str, Any]]:
    """Two systems on the same samples."""
    for law in ("normal", "skewed", "verdicts", "verdicts by prompt"):
        for n in (30, 100, 500):
            rng = np.random.default_rng([3, n])
            held, widths = [], []
            for seed in range(replications):
                a, b, clusters, truth = _pair(law, rng, n)
                estimate = paired_difference(a, b, clusters=clusters, resamples=RESAMPLES, seed=seed).estimate
                held.append(_holds(estimate.low, truth, estimate.high))
                widths.append(float(estimate.high or 0) - float(estimate.low or 0))
            yield row("paired difference", law, n, "paired_difference", held, widths)


def _pair(law: str, rng: np.random.Generator, n: int) -> tuple[Array, Array, npt.NDArray[Any] | None, float]:
    if law == "normal":
        hard = rng.normal(25, 4, n)
        return hard + rng.normal(0.2, 1, n), hard + rng.normal(0, 1, n), None, 0.2
    if law == "skewed":
        hard = rng.gamma(1.5, 1.0, n)
        return hard + rng.gamma(0.8, 0.5, n), hard, None, 0.4
    if law == "verdicts":
        hard = rng.random(n)
        other = np.where(rng.random(n) < 0.5, hard, rng.random(n))
        return (hard < 0.75).astype(float), (other < 0.65).astype(float), None, 0.1
    prompts = n // PER_PROMPT + 1
    chance = np.repeat(rng.beta(1.4, 0.6, prompts), PER_PROMPT)
    one, two = (rng.random(len(chance)) < chance), (rng.random(len(chance)) < 0.9 * chance)
    return one.astype(float), two.astype(float), np.repeat(np.arange(prompts), PER_PROMPT), 0.07


def distances(replications: int) -> Iterator[dict[str, Any]]:
    """Originals and reconstructions in a feature space: paired Fréchet distance, and the extrapolated one."""
    for n, d in ((200, 16), (1000, 16), (1000, 64)):
        rng = np.random.default_rng([4, n, d])
        estimates, infinite = [], []
        for seed in range(replications):
            x = rng.normal(size=(n, d)) * np.linspace(0.5, 2, d)
            y = 0.9 * x + rng.normal(0.1, 0.3, (n, d))
            estimates.append(paired_frechet(lambda x=x, y=y: [(x, y)]))
            if n >= 50 * d:
                infinite.append(fid_infinity(lambda x=x, y=y: [(x, y)], seed=seed))
        exact = _distance(d)
        average = float(np.mean([each.value for each in estimates]))
        law = f"{d} dimensions"
        for truth, method in (
            (average, "jackknife, of its average at this n"),
            (exact, "jackknife, of the laws' distance (bias)"),
        ):
            held = [_holds(each.low, truth, each.high) for each in estimates]
            yield row("Fréchet distance", law, n, method, held, [_width(each) for each in estimates])
        if infinite:
            held = [_holds(each.low, exact, each.high) for each in infinite]
            widths = [_width(each) for each in infinite]
            yield row("Fréchet distance", law, n, "extrapolated, of the laws' distance", held, widths)


def _distance(d: int) -> float:
    """The distance of the two laws of `distances`."""
    spread = np.linspace(0.5, 2, d) ** 2
    a = Moments(10**9, np.zeros(d), np.diag(spread) * (10**9 - 1))
    b = Moments(10**9, np.full(d, 0.1), np.diag(0.81 * spread + 0.09) * (10**9 - 1))
    return frechet_distance(a, b)


def ranks(replications: int) -> Iterator[dict[str, Any]]:
    """Eight systems on the same samples: how often all intervals of ranks hold the true ranks at once."""
    cases: dict[str, Array] = {
        "all equal": np.zeros(8),
        "two groups": np.repeat([0.0, 0.5], 4),
        "evenly apart": np.linspace(0, 0.7, 8),
        "one ahead": np.array([0.6, *np.zeros(7)]),
    }
    for law in ("normal", "skewed", "verdicts by prompt"):
        for name, gaps in cases.items():
            n = 400
            rng = np.random.default_rng([5, len(name), len(law)])
            held: dict[Literal["simultaneous", "marginal"], list[bool]] = {"simultaneous": [], "marginal": []}
            alone: dict[Literal["simultaneous", "marginal"], list[bool]] = {"simultaneous": [], "marginal": []}
            widths: dict[Literal["simultaneous", "marginal"], list[float]] = {"simultaneous": [], "marginal": []}
            for seed in range(replications):
                figures, truth = _board(law, rng, n, gaps)
                errors = shared_errors(figures)
                values = [each.value for each in figures]
                best = 1 + (truth[None, :] > truth[:, None] + 1e-12).sum(1)
                worst = len(truth) - (truth[None, :] < truth[:, None] - 1e-12).sum(1)
                for kind in held:
                    found = rank_intervals(
                        np.array(values), errors.covariance, df=errors.df, kind=kind, draws=1000, seed=seed
                    )
                    inside = (found.best <= best) & (found.worst >= worst)
                    held[kind].append(bool(inside.all()))
                    alone[kind].append(bool(inside[0]))
                    widths[kind].append(float((found.worst - found.best).mean()))
            for kind in held:
                yield row("ranks, joint", f"{law}, {name}", n, kind, held[kind], widths[kind])
                yield row("ranks, first system alone", f"{law}, {name}", n, kind, alone[kind], widths[kind])


def _board(law: str, rng: np.random.Generator, n: int, gaps: Array) -> tuple[list[Figure], Array]:
    """Figures of systems that are better by `gaps` on the same samples, and their true values."""
    clusters: npt.NDArray[Any] | None = None
    if law == "verdicts by prompt":
        prompts = n // PER_PROMPT
        hard = np.repeat(rng.normal(0, 1, prompts), PER_PROMPT)
        clusters = np.repeat([f"p{i}" for i in range(prompts)], PER_PROMPT).astype(object)
        noise = rng.normal(0, 1, (len(gaps), n))
        values = (hard + noise + gaps[:, None] > 0).astype(float)
    elif law == "skewed":
        hard = rng.gamma(1.5, 1.0, n)
        values = hard + rng.gamma(0.5, 1.5, (len(gaps), n)) + gaps[:, None]
    else:
        values = rng.normal(0, 4, n) + rng.normal(0, 1.5, (len(gaps), n)) + gaps[:, None]
    ids = np.array([f"s{i}" for i in range(n)], object)
    terms = Terms("task", "set", "metric", "protocol", n)
    figures = [
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
    return figures, gaps


def _holds(low: float | None, truth: float, high: float | None) -> bool:
    return low is not None and high is not None and low <= truth <= high


def _width(estimate: Any) -> float:
    return float(estimate.high) - float(estimate.low)


SECTIONS: tuple[tuple[Callable[[int], Iterator[dict[str, Any]]], int], ...] = (
    (means, 600),
    (clustered_means, 600),
    (differences, 600),
    (distances, 300),
    (ranks, 400),
)


def section(place: int, share: float) -> list[dict[str, Any]]:
    """The rows of one section, from `share` of its replications."""
    make, replications = SECTIONS[place]
    return list(make(max(20, int(replications * share))))


def table(share: float = 1.0) -> list[dict[str, Any]]:
    """All rows; sections run side by side, and each has seeds of its own."""
    with ProcessPoolExecutor(2) as pool:
        waiting = [pool.submit(section, place, share) for place in (4, 0, 2, 3, 1)]  # the longest first
        found = dict(zip((4, 0, 2, 3, 1), [each.result() for each in waiting], strict=True))
    return [row for place in range(len(SECTIONS)) for row in found[place]]


if __name__ == "__main__":
    rows = table(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
    with OUT.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(OUT)
