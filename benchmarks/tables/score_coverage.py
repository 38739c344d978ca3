"""Do 95 % intervals of set metrics hold the truth in 95 of 100 experiments? FID, differences, KID, CMMD, recall, Vendi, IS.

python benchmarks/tables/score_coverage.py [SHARE]   (writes benchmarks/tables/score-coverage.csv; SHARE of the replications)

Every row is a made-up experiment, repeated: features of images and of a reference are drawn, the interval is taken as
evalkit takes it, and it is counted how often it holds the truth. "its average": what the estimator gives on average at
this n, since most intervals speak of sampling only; "the laws": the value of the distributions themselves, which shows
what the bias at this n costs.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.metrics.base import Estimate
from evalkit.metrics.cmmd import cmmd
from evalkit.metrics.fid_infinity import fid_infinity_of
from evalkit.metrics.frechet_interval import frechet_difference, frechet_estimate, jackknife_bias
from evalkit.metrics.inception_score import inception_score
from evalkit.metrics.kid import kid, kid_difference
from evalkit.metrics.moments import Moments
from evalkit.metrics.prdc import prdc
from evalkit.metrics.rows import moments_of
from evalkit.metrics.rules import SubsetRule
from evalkit.metrics.vendi import vendi

Array = npt.NDArray[np.float64]
OUT = Path(__file__).parent / "score-coverage.csv"
MANY = 10**9


def spread(d: int) -> Array:
    """Deviations that fall over the dimensions, as those of networks do."""
    return np.arange(1, d + 1) ** -0.5


def draw(rng: np.random.Generator, n: int, d: int, scale: float = 1.0, shift: float = 0.0) -> Array:
    """Features of n images."""
    return (rng.normal(size=(n, d)) * scale + shift) * spread(d)


def law(d: int) -> Moments:
    """The reference's own distribution."""
    return Moments(MANY, np.zeros(d), np.diag(spread(d) ** 2) * (MANY - 1))


def exact(d: int, scale: float, shift: float) -> float:
    """Fréchet distance of the distributions of `draw` and of `law`."""
    return float((spread(d) ** 2).sum()) * (shift**2 + (scale - 1) ** 2)


def rows_of(
    what: str, setting: str, n: int, found: list[Estimate], truths: dict[str, float]
) -> Iterator[dict[str, Any]]:
    """One line for each truth; `error` is the standard error of the coverage, `width_over_spread` is 1 where it fits."""
    values = np.array([each.value for each in found])
    for name, truth in {"its average": float(values.mean()), **truths}.items():
        held = [each.low is not None and each.high is not None and each.low <= truth <= each.high for each in found]
        share = float(np.mean(held))
        widths = np.array([float(each.high or 0) - float(each.low or 0) for each in found])
        yield {
            "what": what,
            "setting": setting,
            "n": n,
            "truth": name,
            "replications": len(found),
            "coverage": round(share, 4),
            "error": round(math.sqrt(max(share * (1 - share), 1e-9) / len(found)), 4),
            "bias": round(float(values.mean()) - truth, 5),
            "width_over_spread": round(float(widths.mean()) / (2 * 1.959964 * float(values.std(ddof=1))), 3),
        }


def distances(replications: int) -> Iterator[dict[str, Any]]:
    """FID-like distances to a law and to a drawn reference, extrapolated, and with the jackknife's bias taken off."""
    for n, d in ((200, 16), (1000, 16), (1000, 64), (400, 200), (100, 200)):
        rng = np.random.default_rng([1, n, d])
        plain, both, infinite, corrected = [], [], [], []
        for seed in range(replications):
            x, y = draw(rng, n, d, 1.2, 0.15), draw(rng, n, d)
            plain.append(frechet_estimate(x, law(d)))
            both.append(frechet_estimate(x, moments_of(y), y))
            bias = jackknife_bias(x, law(d)) if n >= 2 * d else math.nan
            corrected.append(
                Estimate(*(float(v or 0) - bias for v in (plain[-1].value, plain[-1].low, plain[-1].high)), n, "")
            )
            if n >= 5 * d and n >= 150:
                infinite.append(fid_infinity_of(x, law(d), seed=seed))
        laws = {"the laws": exact(d, 1.2, 0.15)}
        yield from rows_of("Fréchet distance to a given reference", f"{d} features", n, plain, laws)
        yield from rows_of("Fréchet distance of two drawn sets", f"{d} features", n, both, laws)
        if n >= 2 * d:
            yield from rows_of("Fréchet distance less its jackknife bias", f"{d} features", n, corrected, laws)
        if infinite:
            yield from rows_of("Fréchet distance, extrapolated", f"{d} features", n, infinite, laws)


def differences(replications: int) -> Iterator[dict[str, Any]]:
    """Two sets against one drawn reference, unpaired and paired, by Fréchet distance and by KID."""
    d, rule = 16, SubsetRule(30, 100, fit="half")
    for n in (200, 1000):
        rng = np.random.default_rng([2, n])
        found: dict[str, list[Estimate]] = {"unpaired": [], "paired": [], "KID": []}
        for seed in range(replications):
            y, x = draw(rng, n, d), draw(rng, n, d, 1.2)
            near = x * (1.15 / 1.2) + 0.1 * draw(rng, n, d)
            other = draw(rng, n, d, 1.15)
            reference = moments_of(y)
            found["unpaired"].append(frechet_difference(x, other, reference, y).estimate)
            found["paired"].append(frechet_difference(x, near, reference, y, paired=True).estimate)
            kernel = SubsetRule(rule.subsets, rule.size, rule.fit, rule.drawn, seed)
            found["KID"].append(kid_difference(x, near, y, kernel))
        truth = exact(d, 1.2, 0) - exact(d, 1.15, 0)
        near_scale = math.sqrt(1.15**2 + 0.1**2)
        yield from rows_of("difference of Fréchet distances", "unpaired", n, found["unpaired"], {"the laws": truth})
        paired = exact(d, 1.2, 0) - exact(d, near_scale, 0)
        yield from rows_of("difference of Fréchet distances", "paired", n, found["paired"], {"the laws": paired})
        yield from rows_of("difference of KIDs", "paired", n, found["KID"], {})


def kernels(replications: int) -> Iterator[dict[str, Any]]:
    """KID and CMMD, of unlike and of alike distributions."""
    d = 16
    for n in (200, 1000):
        for name, shift in (("unlike", 0.4), ("alike", 0.0)):
            rng = np.random.default_rng([3, n, int(10 * shift)])
            one, two = [], []
            for seed in range(replications):
                x, y = draw(rng, n, d, 1.0, shift), draw(rng, n, d)
                one.append(kid(x, y, SubsetRule(30, 100, "half", seed=seed)))
                unit = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, y)]
                two.append(cmmd(*unit))
            yield from rows_of("KID", name, n, one, {} if shift else {"the laws": 0.0})
            yield from rows_of("CMMD", name, n, two, {} if shift else {"the laws": 0.0})


def scores(replications: int) -> Iterator[dict[str, Any]]:
    """Precision and recall, Vendi score, Inception score."""
    d = 16
    for n in (200, 1000):
        rng = np.random.default_rng([4, n])
        found: dict[str, list[Estimate]] = {"precision": [], "recall": [], "density": [], "coverage": []}
        distinct, inception = [], []
        for _ in range(replications):
            x, y = draw(rng, n, d, 0.9, 0.2), draw(rng, n, d)
            for name, estimate in prdc(x, y).items():
                found[name].append(estimate)
            distinct.append(vendi(x))
            inception.append(inception_score(3 * rng.normal(size=(n, 40))))
        for name, estimates in found.items():
            yield from rows_of(name, f"k = 3, {d} features", n, estimates, {})
        yield from rows_of("Vendi score", f"{d} features", n, distinct, {})
        yield from rows_of("Inception score", "10 splits", n, inception, {})


SECTIONS: tuple[tuple[Callable[[int], Iterator[dict[str, Any]]], int], ...] = (
    (distances, 200),
    (differences, 300),
    (kernels, 200),
    (scores, 200),
)


def section(place: int, share: float) -> list[dict[str, Any]]:
    """The rows of one section, from `share` of its replications."""
    make, replications = SECTIONS[place]
    return list(make(max(20, int(replications * share))))


def table(share: float = 1.0) -> list[dict[str, Any]]:
    """All rows; sections run side by side, and each has seeds of its own."""
    places = range(len(SECTIONS))
    with ProcessPoolExecutor(2) as pool:
        waiting = [pool.submit(section, place, share) for place in places]
        return [row for each in waiting for row in each.result()]


if __name__ == "__main__":
    rows = table(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
    with OUT.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(OUT)
