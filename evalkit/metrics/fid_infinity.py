"""FID∞: the Fréchet distance that infinitely many images would have (Chong and Forsyth 2020, arXiv:1911.07023).

To first order the distance of N samples is biased by K / N, with a K that depends on the model: two models can change
places when N grows. So the distance is taken at 15 sizes N, evenly spaced up to all samples, a straight line in 1 / N
is fitted to them by least squares, and its intercept is the estimate. Both sets are sub-sampled together, pair by pair,
without replacement, from a seed.

The line holds only where the covariances are well determined: the smallest size is a tenth of the samples and at least
2.5 times the dimensions (5,120 for Inception; the paper took 5,000), and twice that must be there.

The interval adds two variances: that of the intercept given the scatter about the line (Student's t with 13 degrees of
freedom; sub-samples overlap, so this alone is too narrow), and that of the distance at all samples (infinitesimal
jackknife over pairs).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.metrics.frechet import frechet_distance, paired_frechet, pairs_shape
from evalkit.metrics.frechet_interval import frechet_estimate
from evalkit.metrics.metric import Features, Metric, NotMeasured, Pairs, Parts, everywhere
from evalkit.metrics.rows import Rows, Taken, moments_of
from evalkit.metrics.transport import Gaussian

POINTS = 15
SHARE = 10  # the smallest sub-sample is at least the SHARE-th part
PER_DIMENSION = 2.5  # and has this many samples for each dimension
MOST = 100_000  # pairs in memory: 2,048 float32 features of so many take 1.6 GB for both sets


def sizes_of(n: int, d: int) -> list[int]:
    """The sub-sample sizes for n pairs of d features, ascending to n; empty where n is too small for the linear law.

    >>> sizes_of(50_000, 2048)[:2], len(sizes_of(50_000, 2048)), sizes_of(10_239, 2048)
    ([5120, 8325], 15, [])
    """
    least = math.ceil(PER_DIMENSION * d)
    if n < max(2 * least, 10 * POINTS):
        return []
    return [int(size) for size in np.linspace(max(least, math.ceil(n / SHARE)), n, POINTS)]


def fid_infinity(pairs: Pairs, *, seed: int = 0, level: float = 0.95) -> Estimate:
    """Fréchet distance extrapolated to infinitely many pairs; `pairs()` yields (x, y) chunks [k, d] and is called again.

    Holds at most 100,000 pairs of features (a seeded choice of them where there are more), and a few [d, d] matrices.
    The value can fall slightly below 0 where the distance is next to nothing. nan, with the reason as the method, where
    there are fewer than 5 pairs for each dimension.
    """
    if not 0 < level < 1:
        raise EvalkitError(f"the level of an interval lies between 0 and 1; {level} was given")
    n, d = pairs_shape(pairs)
    if not sizes_of(min(n, MOST), d):
        return Estimate(math.nan, None, None, n, _too_few(n, d), level)
    x, y = _held(pairs, n, seed)
    sizes = sizes_of(len(x), d)
    distances = [_distance(x, y, _rows(len(x), size, seed)) for size in sizes[:-1]]
    whole = paired_frechet(lambda: [(x, y)], level=level)
    value, error = intercept(1 / np.array(sizes, np.float64), np.array([*distances, whole.value]))
    sampling = 0.0 if whole.high is None else whole.high - whole.value
    half = math.hypot(float(stdtrit(len(sizes) - 2, (1 + level) / 2)) * error, sampling)
    method = (
        f"intercept of a least-squares line in 1/N over {len(sizes)} sub-samples of {sizes[0]} to {sizes[-1]} pairs; "
        "interval: Student's t of the line and the infinitesimal jackknife over pairs, variances added"
    )
    if len(x) < n:
        method += f"; {len(x)} of {n} pairs, chosen by the seed"
    return Estimate(value, value - half, value + half, n, method, level)


def fid_infinity_of(images: Rows, reference: Gaussian, *, seed: int = 0, level: float = 0.95) -> Estimate:
    """The same of one set [n, d] whose `reference` is given: only the images are sub-sampled.

    nan, with the reason as the method, where there are fewer than 5 images for each dimension.
    """
    n, d = images.shape
    sizes = sizes_of(n, d)
    if not sizes:
        return Estimate(math.nan, None, None, n, _too_few(n, d), level)
    distances = [frechet_distance(reference, moments_of(Taken(images, _rows(n, size, seed)))) for size in sizes[:-1]]
    whole = frechet_estimate(images, reference, level=level)
    value, error = intercept(1 / np.array(sizes, np.float64), np.array([*distances, whole.value]))
    sampling = 0.0 if whole.high is None else whole.high - whole.value
    half = math.hypot(float(stdtrit(len(sizes) - 2, (1 + level) / 2)) * error, sampling)
    method = (
        f"intercept of a least-squares line in 1/N over {len(sizes)} sub-samples of {sizes[0]} to {n} images; interval: "
        "Student's t of the line and the infinitesimal jackknife over images, variances added; reference as given"
    )
    return Estimate(value, value - half, value + half, n, method, level)


def _too_few(n: int, d: int) -> str:
    return (
        f"the extrapolation is a straight line in 1/N only from {PER_DIMENSION:g} images a dimension on, and needs "
        f"twice as many: {max(2 * math.ceil(PER_DIMENSION * d), 10 * POINTS)} for {d} features; {n} could be scored"
    )


def intercept(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Intercept of the least-squares line through at least three points, and its standard error.

    >>> intercept(np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0, 9.0]))[0]
    3.0
    """
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    value = float(y.mean()) - slope * float(x.mean())
    rest = y - value - slope * x
    variance = float(rest @ rest) / (len(x) - 2)
    return value, math.sqrt(variance * (1 / len(x) + float(x.mean()) ** 2 / spread))


def _rows(n: int, size: int, seed: int) -> npt.NDArray[np.int64]:
    return np.asarray(np.random.default_rng([seed, n, size]).permutation(n)[:size], np.int64)


def _distance(x: Features, y: Features, rows: npt.NDArray[np.int64]) -> float:
    return frechet_distance(moments_of(Taken(x, rows)), moments_of(Taken(y, rows)))


def _held(pairs: Pairs, n: int, seed: int) -> tuple[Features, Features]:
    """All pairs, or a seeded choice of `MOST` of them in their order."""
    keep = np.ones(n, bool)
    if n > MOST:
        keep[:] = False
        keep[np.random.default_rng([seed, n]).choice(n, MOST, replace=False)] = True
    parts: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []
    start = 0
    for x, y in pairs():
        chosen = keep[start : start + len(x)]
        parts.append((x[chosen], y[chosen]))
        start += len(x)
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


@dataclass(frozen=True)
class InfinityOf:
    """The extrapolated distance of one encoder's features."""

    encoder: str

    def __call__(self, parts: Parts) -> Estimate:
        """The estimate, nan with the reason where there are too few images; raises `NotMeasured` without any."""
        if parts.rows.num_rows == 0:
            raise NotMeasured("no image could be scored")
        return fid_infinity(parts.features[self.encoder], seed=parts.seed)


def _declared(name: str, label: str, title: str, encoder: str) -> Metric:
    return Metric(
        name=name,
        label=label,
        title=title,
        better="lower",
        source="Chong and Forsyth 2020, arXiv:1911.07023",
        level="set",
        task="fid-infinity",
        needs=(encoder,),
        aggregate=InfinityOf(encoder),
        under=everywhere,
        shown=frozenset(),
    )


FID_INFINITY = _declared("fid_infinity", "FID∞", "FID extrapolated to infinitely many images", "inception-v3-fid")
DECLARED = (
    FID_INFINITY,
    _declared("fd_efflite0_infinity", "FD∞ (EfficientNet-lite0)", "fd_efflite0 extrapolated likewise", "efflite0"),
)
