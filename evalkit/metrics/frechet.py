"""Fréchet distance between Gaussians fitted to two sets of features (Dowson and Landau 1982; FID: Heusel et al. 2017).

|m1 - m2|² + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2), without a matrix square root. With S1 = F Fᵀ (Cholesky, or the
symmetric eigendecomposition where S1 is singular) the last trace is that of (Fᵀ S2 F)^(1/2): the sum of the roots of
the eigenvalues of a symmetric matrix, always real and never negative. With fewer samples than dimensions, and X, Y the
centred features over sqrt(n - 1), it is the nuclear norm of X Yᵀ, an n x n problem.

The interval of a paired distance (originals and their reconstructions) is the infinitesimal jackknife: with T the
transport map between the Gaussians, the influence of pair i is
2 (m1 - m2)·((x - m1) - (y - m2)) + xᵀ(I - T)x + yᵀ(I - T⁻¹)y, centred; its variance over n is the estimate's. It speaks
of sampling only: the distance itself is biased upwards at small n (Chong and Forsyth 2020, arXiv:1911.07023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy  # its parts are loaded at their first use
from scipy.special import ndtri

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Features, Metric, NotMeasured, Pairs, Parts, View, everywhere
from evalkit.metrics.moments import Array, blocks, fold
from evalkit.metrics.rows import gaussian_of
from evalkit.metrics.transport import Gaussian, assemble, cross_trace, factor, same_dimensions, transport

HEUSEL = "Heusel et al. 2017, arXiv:1706.08500"


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Fréchet distance of two sets from their moments; 0 for equal moments up to rounding, never negative."""
    same_dimensions(a.dim, b.dim)
    one, two = factor(a), factor(b)
    return assemble(a.mean - b.mean, one.trace, two.trace, cross_trace(one, two))


def frechet_distance_of_features(x: Features, y: Features) -> float:
    """The same distance from features [n, d] and [m, d], through the samples where they are fewer than dimensions."""
    return frechet_distance(gaussian_of(x), gaussian_of(y))


def paired_frechet(pairs: Pairs, *, level: float = 0.95) -> Estimate:
    """Fréchet distance of paired sets with its interval; `pairs()` yields (x, y) chunks [k, d] and is called again.

    Memory is that of a few [d, d] matrices however many pairs there are. Fewer than two pairs give nan.
    """
    n, d = pairs_shape(pairs)
    if n < 2:
        return Estimate(math.nan, None, None, n, f"a Fréchet distance needs at least 2 images; {n} could be scored")
    value, variance = _by_samples(pairs) if n < d else _by_moments(pairs)
    half = float(ndtri((1 + level) / 2)) * math.sqrt(max(variance, 0.0) / n)
    method = "infinitesimal jackknife over pairs (sampling only: the value is biased upwards at small n)"
    if n <= d:
        method += f"; n={n} is not above the {d} dimensions, so the covariances are singular"
    return Estimate(value, max(0.0, value - half), value + half, n, method, level)


def _by_samples(pairs: Pairs) -> tuple[float, float]:
    """Value and variance of the influence where n < d, from one n x n singular value decomposition."""
    x = np.concatenate([x for x, _ in pairs()])
    y = np.concatenate([y for _, y in pairs()])
    n = len(x)
    (mx, cx), (my, cy) = _centred(x), _centred(y)
    u, roots, vt = scipy.linalg.svd(cx @ cy.T, check_finite=False)
    cross = (np.square(u) @ roots + roots @ np.square(vt)) * (n - 1) / 2
    squares = (np.square(cx).sum(1) + np.square(cy).sum(1)) * (n - 1)
    influence = 2 * (cx - cy) @ (mx - my) * math.sqrt(n - 1) + squares - 2 * cross
    value = assemble(mx - my, float(np.square(cx).sum()), float(np.square(cy).sum()), float(roots.sum()))
    return value, float(influence.var(ddof=1))


def _by_moments(pairs: Pairs) -> tuple[float, float]:
    """Value and variance of the influence where n >= d, in two passes over the features."""
    a, b = fold(x for x, _ in pairs()), fold(y for _, y in pairs())
    found = transport(a, b)
    count, mean, scatter = 0, 0.0, 0.0
    for x, y in zip(blocks(x for x, _ in pairs()), blocks(y for _, y in pairs()), strict=True):
        influence = found.of_first(np.asarray(x, np.float64)) + found.of_second(np.asarray(y, np.float64))
        for_all = count + len(influence)
        step = float(influence.mean()) - mean
        scatter += float(np.square(influence - influence.mean()).sum()) + step**2 * count * len(influence) / for_all
        mean += step * len(influence) / for_all
        count = for_all
    return found.value, scatter / (count - 1)


def _centred(x: Features) -> tuple[Array, Array]:
    x = np.asarray(x, np.float64)
    if len(x) < 2:
        raise EvalkitError(f"a Fréchet distance needs at least 2 samples in each set; {len(x)} given")
    mean = x.mean(0)
    return mean, (x - mean) / math.sqrt(len(x) - 1)


def pairs_shape(pairs: Pairs) -> tuple[int, int]:
    """(number of pairs, dimensions); raises where two chunks do not match."""
    n, d = 0, 0
    for x, y in pairs():
        if x.shape != y.shape:
            raise EvalkitError(f"paired features have one shape; {x.shape} and {y.shape} were given")
        n, d = n + len(x), x.shape[1]
    return n, d


@dataclass(frozen=True)
class FrechetOf:
    """The Fréchet distance between the features that one encoder gives of originals and of reconstructions."""

    encoder: str

    def __call__(self, parts: Parts) -> Estimate:
        """The distance with its interval; raises `NotMeasured` below two images."""
        if parts.rows.num_rows < 2:
            raise NotMeasured(f"a Fréchet distance needs at least 2 images; {parts.rows.num_rows} could be scored")
        return paired_frechet(parts.features[self.encoder])


def declare_frechet(
    name: str, label: str, title: str, encoder: str, source: str = HEUSEL, shown: frozenset[View] = frozenset()
) -> Metric:
    """A Fréchet distance of the features of `encoder`; 0 for equal sets, without an upper bound."""
    return Metric(
        name=name,
        label=label,
        title=title,
        better="lower",
        low=0.0,
        source=source,
        level="set",
        task="distribution",
        needs=(encoder,),
        aggregate=FrechetOf(encoder),
        under=everywhere,
        family="fid",
        shown=shown,
    )


_FIRST: frozenset[View] = frozenset({"headline"})
FID = declare_frechet("fid", "FID", "Fréchet Inception distance", "inception-v3-fid", shown=_FIRST)
FD_EFFLITE0 = declare_frechet(
    "fd_efflite0",
    "FD (EfficientNet-lite0)",
    "Fréchet distance of EfficientNet-lite0 features (not an FID)",
    "efflite0",
    shown=_FIRST,
)
_OF = "Fréchet distance of"
_STEIN = "Stein et al. 2023, arXiv:2306.04675"
DECLARED = (
    FID,
    FD_EFFLITE0,
    declare_frechet(
        "fd_dinov2", "FD-DINOv2", f"{_OF} DINOv2 ViT-L/14 class tokens (FD-DINOv2)", "dinov2-vitl14", _STEIN
    ),
    declare_frechet(
        "fd_dinov2_vitb14", "FD (DINOv2 ViT-B/14)", f"{_OF} DINOv2 ViT-B/14 class tokens", "dinov2-vitb14", _STEIN
    ),
    declare_frechet(
        "fd_dinov2_vits14", "FD (DINOv2 ViT-S/14)", f"{_OF} DINOv2 ViT-S/14 class tokens", "dinov2-vits14", _STEIN
    ),
    declare_frechet(
        "fd_clip",
        "FD (CLIP ViT-L/14)",
        f"{_OF} CLIP ViT-L/14 336 px embeddings of unit length",
        "clip-vitl14",
        "CMMD's embedding, arXiv:2401.09603",
    ),
    declare_frechet(
        "fd_clip_vitb32",
        "CLIP-FID",
        f"{_OF} CLIP ViT-B/32 embeddings (CLIP-FID)",
        "clip-vitb32",
        "Kynkäänniemi et al. 2023, arXiv:2203.06026",
    ),
)
