"""From the figures of one board to an order that the data support: covariance, rank intervals, differences, robustness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import t

from evalkit.leaderboard.entrants import Figure
from evalkit.leaderboard.scores import Scores
from evalkit.metrics.base import Better
from evalkit.metrics.registry import METRICS
from evalkit.stats.intervals import UNBOUNDED
from evalkit.stats.paired import paired_difference
from evalkit.stats.ranks import DRAWS, Array, Ranks, rank_intervals
from evalkit.stats.robustness import Flip, fewest_to_flip

LEVEL = 0.95
FEW = (
    40  # systems up to which all draws are made, and all pairs are tested; beyond, as many draws as take the same time
)
LEAST = 2000


@dataclass(frozen=True)
class Gap:
    """A difference with its interval, whose bounds are None where they are unknown; `p` of no difference (nan: unknown)."""

    value: float
    low: float | None
    high: float | None
    method: str
    p: float = math.nan


@dataclass(frozen=True)
class Shared:
    """Covariance [m, m] of the errors of m estimates, its degrees of freedom, and in words how errors are shared."""

    covariance: Array = field(repr=False)
    df: float
    pairing: str


@dataclass(frozen=True)
class Standing:
    """A system's place: `rank` by its value, `best` to `worst` the interval of ranks, `tier`, and the chance to be first.

    `gap`: how much worse than the leader's its value is (None for the leader). `flip`: what turns the order with the
    next one below.
    """

    figure: Figure
    rank: int
    best: int
    worst: int
    tier: int
    first: float
    gap: Gap | None
    flip: Flip | None


@dataclass(frozen=True)
class Order:
    """All standings, the best first; `errors` [m, m] are standard errors of differences in that order (nan: unknown).

    `critical`: how many of them a difference must exceed to be certain among all pairs; `df`: degrees of freedom of one
    difference. `pairing` says how errors are shared.
    """

    standings: tuple[Standing, ...]
    errors: Array = field(repr=False)
    critical: float
    df: float
    pairing: str


def order(figures: Sequence[Figure], *, shared: Shared | None = None, seed: int = 0) -> Order:
    """The order of figures that have the same terms and a value each; `shared` is their errors where they are known."""
    better: Better = "lower" if figures[0].better == "lower" else "higher"
    errors = shared or shared_errors(figures)
    # draws meet the systems in an order that does not depend on the one in which runs were given
    places = _settled(figures, errors.covariance, -1 if better == "higher" else 1)
    figures = [figures[i] for i in places]
    covariance, df = errors.covariance[np.ix_(places, places)], errors.df
    values = np.array([_value(each) for each in figures])
    draws = DRAWS if len(figures) <= FEW else max(LEAST, DRAWS * FEW**2 // len(figures) ** 2)

    def certain(i: int, j: int) -> bool:
        if len(figures) > FEW and 0 not in (i, j):
            return True
        return separated(difference(figures[i], figures[j], _error(covariance, i, j), df, pairing=errors.pairing).p)

    ranks = rank_intervals(
        values, covariance, better=better, df=df, level=LEVEL, draws=draws, seed=seed, certain=certain
    )
    return Order(
        tuple(_standing(figures, ranks, place, covariance, errors) for place in range(len(figures))),
        _errors(covariance),
        ranks.critical,
        df,
        errors.pairing,
    )


def _settled(figures: Sequence[Figure], covariance: Array, sign: int) -> list[int]:
    """Places by value, the best first; equal values by their error, then as given."""

    def key(i: int) -> tuple[float, float, int]:
        error = float(covariance[i, i])
        return sign * _value(figures[i]), math.inf if math.isnan(error) else error, i

    return sorted(range(len(figures)), key=key)


def _standing(figures: Sequence[Figure], ranks: Ranks, i: int, covariance: Array, errors: Shared) -> Standing:
    ahead, behind = (figures[0], figures[i]) if figures[i].better == "higher" else (figures[i], figures[0])
    gap = None if i == 0 else difference(ahead, behind, _error(covariance, 0, i), errors.df, pairing=errors.pairing)
    return Standing(
        figures[i],
        int(ranks.rank[i]),
        int(ranks.best[i]),
        int(ranks.worst[i]),
        int(ranks.tier[i]),
        float(ranks.first[i]),
        gap,
        None if i + 1 == len(figures) else _flip(figures[i], figures[i + 1]),
    )


def separated(p: float) -> bool:
    """Whether a difference with this p is called one, on boards and in comparisons alike; without a p it is not."""
    return p < 1 - LEVEL


def difference(
    a: Figure,
    b: Figure,
    error: float,
    df: float,
    *,
    pairing: str = "independent, from their intervals",
) -> Gap:
    """`a` minus `b` with its 95 % interval: paired where both have the same samples, else from the standard `error`."""
    value = _value(a) - _value(b)
    if not math.isfinite(value):
        return Gap(0.0 if math.isnan(value) else value, None, None, "no interval: a value is infinite")
    one, two = a.scores, b.scores
    if one is not None and two is not None and one.plain and two.plain and _aligned(one, two):
        declared = METRICS.find(a.terms.metric)
        range = (declared.low, declared.high) if declared else UNBOUNDED
        found = paired_difference(one.values, two.values, clusters=one.clusters, range=range)
        by, estimate = "prompt" if one.clusters is not None else "sample", found.estimate
        return Gap(value, estimate.low, estimate.high, f"paired by {by}: {estimate.method}", found.p)
    if not math.isfinite(error):
        return Gap(value, None, None, "no interval: one of the values has none")
    finite = math.isfinite(df)
    half = (float(t.ppf((1 + LEVEL) / 2, df)) if finite else float(ndtri((1 + LEVEL) / 2))) * error
    ratio = abs(value) / error if error > 0 else math.inf if value else 0.0
    p = float(2 * (t.sf(ratio, df) if finite else ndtr(-ratio)))
    how = "influence of each sample" if one is not None and two is not None else pairing
    declared = METRICS.find(a.terms.metric)
    low, high = (declared.low, declared.high) if declared else UNBOUNDED
    most = math.inf if low is None or high is None else high - low  # two shares are at most 1 apart
    return Gap(value, max(value - half, -most), min(value + half, most), how, p)


def shared_errors(figures: Sequence[Figure]) -> Shared:
    """Errors from the samples that figures share, from their samples alone, or from their intervals."""
    m = len(figures)
    sigma = np.zeros((m, m))
    known = [(place, each.scores) for place, each in enumerate(figures) if each.scores is not None]
    for place, each in enumerate(figures):
        if each.scores is None:
            sigma[place, place] = _variance(each)
    df = math.inf
    pairing = "independent, from their intervals"
    if known:
        places, binary = [place for place, _ in known], all(scores.binary for _, scores in known)
        with np.errstate(invalid="ignore"):  # an infinite value has no influence, and so no known error
            rows, counts, pairing = _influences([scores for _, scores in known])
            sigma[np.ix_(places, places)] = rows @ rows.T
        for place, count in zip(places, counts, strict=True):
            if count < 2:
                sigma[place, place] = math.nan
            elif binary:
                # two outcomes of each kind that were not seen, as Agresti and Min do for differences of shares (2005,
                # doi:10.1002/sim.1781): without them three successes of three have no error at all
                sigma[place, place] += 1 / (count + 2) ** 2
        df = float(max(1, min(counts) - 1))
        if len(known) < m:
            pairing = f"{pairing}; those without samples are taken as independent"
    return Shared(sigma, df, pairing)


def _influences(scores: Sequence[Scores]) -> tuple[Array, list[int], str]:
    """Rows whose inner products are covariances [m, units]: units that two systems share meet in one column."""
    units = [each.units for each in scores]
    parts = []
    for each, unit in zip(scores, units, strict=True):
        n = unit.count
        parts.append(each.gradient * unit.influence / math.sqrt(n * max(n - 1, 1)))
    counts = [unit.count for unit in units]
    word = "prompt" if units[0].clustered else "sample"
    if all(_aligned(scores[0], each) for each in scores[1:]):
        return np.stack(parts), counts, f"paired by {word}"
    columns: dict[object, int] = {}
    for each in scores:
        for name in each.names:
            columns.setdefault(name, len(columns))
    rows = np.zeros((len(scores), len(columns)))
    for row, each, part in zip(rows, scores, parts, strict=True):
        row[[columns[name] for name in each.names]] = part
    shared = len(columns) < sum(counts)
    return rows, counts, f"paired by {word} where shared" if shared else f"independent: no {word} is shared"


def _aligned(a: Scores, b: Scores) -> bool:
    return a.digest == b.digest and (a.clusters is None) == (b.clusters is None)


def _variance(figure: Figure) -> float:
    """From the wider side of the interval; unknown where there is none."""
    if figure.low is None or figure.high is None or not math.isfinite(_value(figure)):
        return math.nan
    half = max(figure.high - _value(figure), _value(figure) - figure.low)
    return (half / float(ndtri((1 + LEVEL) / 2))) ** 2


def _errors(sigma: Array) -> Array:
    spread = np.diag(sigma)
    found: Array = np.sqrt(np.maximum(spread[:, None] + spread[None, :] - 2 * sigma, 0.0))
    np.fill_diagonal(found, 0.0)
    return found


def _error(sigma: Array, i: int, j: int) -> float:
    return math.sqrt(max(float(sigma[i, i] + sigma[j, j] - 2 * sigma[i, j]), 0.0)) if _known(sigma, i, j) else math.nan


def _known(sigma: Array, i: int, j: int) -> bool:
    return bool(np.isfinite(sigma[i, i]) and np.isfinite(sigma[j, j]))


def _flip(a: Figure, b: Figure) -> Flip | None:
    """The fewest samples or prompts that carry the order of two means on the same samples."""
    one, two = a.scores, b.scores
    if one is None or two is None or not (one.plain and two.plain and _aligned(one, two)):
        return None
    with np.errstate(invalid="ignore"):
        apart = one.values - two.values
    if not np.isfinite(apart).all() or float(apart.sum()) == 0.0:
        return None
    return fewest_to_flip(apart, clusters=one.clusters)


def _value(figure: Figure) -> float:
    return math.nan if figure.value is None else figure.value
