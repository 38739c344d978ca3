"""SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003) by separable filters.

Three forms are in use and differ: scikit-image's Gaussian (border left out) and uniform 7x7 (sample covariance), and
torchmetrics' Gaussian with reflected borders. A protocol names the one it takes.

With a = x + y and b = x - y, a window's means give 2 m_x m_y = (m_a² - m_b²) / 2 and m_x² + m_y² = (m_a² + m_b²) / 2,
and its variances give 2 c_xy = (v_a - v_b) / 2 and v_x + v_y = (v_a + v_b) / 2. Four filters suffice, b vanishes for
equal images (SSIM is then exactly 1), and rounding of v_a cancels in the ratio, so that float32 holds 1e-6 for 8-bit
images; floating-point images are taken through in float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.aggregate import MeanOf
from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Metric, NotMeasured, Pair, Parts, everywhere, floats
from evalkit.metrics.psnr import Image, as_unit, mse, psnr, same_shape

Array = npt.NDArray[np.floating[Any]]
Window = Literal["gauss11", "uniform7"]
Border = Literal["crop", "reflect"]

K1, K2 = 0.01, 0.03
_STRIP = 64 * 256 * 3  # values of a strip; about seven arrays of this size are in hand at once
BETAS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST_MS_SSIM = 161  # five scales of an 11-tap window: torchmetrics' own bound


@dataclass(frozen=True)
class ReconstructionScores:
    """MSE on [0, 1], PSNR in dB, SSIM and MS-SSIM of one pair (MS-SSIM is nan below 161 pixels a side)."""

    mse: float
    psnr: float
    ssim: float
    ms_ssim: float


def ssim(x: Image, y: Image, *, data_range: float = 1.0, window: Window = "gauss11", border: Border = "crop") -> float:
    """Mean SSIM over positions and channels of two [H, W, C] images (uint8, or floats on [0, 1]); in [-1, 1].

    `gauss11`: sigma 1.5, population covariance. `uniform7`: sample covariance (scikit-image's default).
    `border`: leave out positions whose window leaves the image, or reflect it there (torchmetrics).
    """
    same_shape(x, y)
    if window == "uniform7":  # its sample covariance needs more than float32 to agree to 1e-6
        x, y = as_unit(x), as_unit(y)
    _check_side(x, len(_KERNELS[window]))
    x, y, unit = _comparable(x, y)
    return _means(x, y, data_range * unit, window, inner=border == "crop")[0]


def ms_ssim(x: Image, y: Image, *, data_range: float = 1.0) -> float:
    """Multi-scale SSIM in torchmetrics' form: five scales, negative terms set to 0; nan below 161 pixels a side."""
    same_shape(x, y)
    x, y, unit = _comparable(x, y)
    return _ms_ssim(x, y, data_range * unit, None)


def reconstruction_scores(x: Image, y: Image) -> ReconstructionScores:
    """All four scores of an original and its reconstruction in one pass (SSIM: gauss11, border left out, range 1)."""
    _check_side(x, 11)
    error = mse(x, y)
    x, y, unit = _comparable(x, y)
    first = _means(x, y, unit, "gauss11", inner=True)
    return ReconstructionScores(error, psnr(error), first[0], _ms_ssim(x, y, unit, first[1]))


def _comparable(x: Image, y: Image) -> tuple[Image, Image, float]:
    """Both images as 8-bit values, or in float64 on [0, 1]; and what 1.0 on the [0, 1] scale is in them."""
    return (x, y, 255.0) if x.dtype == y.dtype == np.uint8 else (as_unit(x), as_unit(y), 1.0)


def _means(x: Image, y: Image, data_range: float, window: Window, *, inner: bool) -> tuple[float, float]:
    """Means of SSIM and of its contrast-structure term over positions and channels of two [H, W, C] images.

    Rows are taken in strips with a halo of half a window, so that all that is in hand fits the cache. `inner` leaves
    out positions whose window leaves the image.
    """
    height, width, channels = x.shape
    margin = len(_KERNELS[window]) // 2
    first, last = (margin, height - margin) if inner else (0, height)
    columns = slice(margin, width - margin) if inner else slice(None)
    rows = max(margin, _STRIP // (width * channels))
    structure = contrast = 0.0
    for top in range(first, last, rows):
        bottom = min(top + rows, last)
        start = max(top - margin, 0)
        u, v = (_floats(each[start : bottom + margin]) for each in (x, y))
        luminance, variation = _terms(u + v, u - v, data_range, window)
        kept = (slice(top - start, bottom - start), columns)
        contrast += sum(cv2.sumElems(variation[kept]))
        luminance *= variation
        structure += sum(cv2.sumElems(luminance[kept]))
    count = (last - first) * (width - 2 * margin * inner) * channels
    return structure / count, contrast / count


def _floats(x: Image) -> Array:
    return x.astype(np.float32) if x.dtype == np.uint8 else x


def _terms(a: Array, b: Array, data_range: float, window: Window) -> tuple[Array, Array]:
    """Luminance and contrast-structure maps [H, W, C] of SSIM from the sum and the difference of two images."""
    c1, c2 = 2 * (K1 * data_range) ** 2, 2 * (K2 * data_range) ** 2
    shift = data_range if a.dtype == np.float32 else 0.0  # centres 8-bit sums, so that their squares stay exact
    centred = a - a.dtype.type(shift) if shift else a
    mean_a, mean_b = _smooth(centred, window), _smooth(b, window)
    scratch = np.multiply(centred, centred, out=centred if shift else None)
    var_a = _smooth(scratch, window)
    var_b = _smooth(np.multiply(b, b, out=scratch), window)
    var_a -= np.multiply(mean_a, mean_a, out=scratch)
    mean_b *= mean_b
    var_b -= mean_b
    if window == "uniform7":
        var_a *= 49 / 48
        var_b *= 49 / 48
    mean_a += shift
    mean_a *= mean_a
    return _ratio(mean_a, mean_b, c1, scratch), _ratio(var_a, var_b, c2, mean_b)


def _ratio(u: Array, v: Array, c: float, out: Array) -> Array:
    """(u - v + c) / (u + v + c) in the place of `out`; `u` is used up."""
    u += c
    np.subtract(u, v, out=out)
    u += v
    out /= u
    return out


def _ms_ssim(x: Image, y: Image, data_range: float, first: float | None) -> float:
    """`first`: the contrast term of the first scale where it is known."""
    if min(x.shape[:2]) < SMALLEST_MS_SSIM:
        return math.nan
    terms: list[float] = []
    for scale in range(len(BETAS)):
        if scale:
            x, y = _halve(x), _halve(y)
        last = scale == len(BETAS) - 1
        if scale == 0 and first is not None:
            terms.append(first)
        else:
            structure, contrast = _means(x, y, data_range, "gauss11", inner=not last)
            terms.append(structure if last else contrast)
    return float(math.prod(max(term, 0.0) ** beta for term, beta in zip(terms, BETAS, strict=True)))


def _gaussian() -> npt.NDArray[np.float64]:
    offsets = np.arange(-5, 6, dtype=np.float64)
    weights = np.exp(-0.5 * (offsets / 1.5) ** 2)
    return np.asarray(weights / weights.sum())


_KERNELS: dict[Window, npt.NDArray[np.float64]] = {"gauss11": _gaussian(), "uniform7": np.full(7, 1 / 7)}


def _smooth(x: Array, window: Window) -> Array:
    kernel = _KERNELS[window]
    return np.asarray(cv2.sepFilter2D(x, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)).reshape(x.shape)


def _halve(x: Image) -> Array:
    h, w = x.shape[0] // 2, x.shape[1] // 2
    half = cv2.resize(_floats(x)[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA)
    return np.asarray(half).reshape(h, w, x.shape[2])


def _check_side(x: Image, least: int) -> None:
    if x.ndim != 3 or min(x.shape[:2]) < least:
        raise EvalkitError(f"SSIM takes [H, W, C] images with sides from {least}; shape {x.shape} was given")


def similarity_columns(pair: Pair) -> Mapping[str, float]:
    """SSIM by the protocol's window, border and range, and MS-SSIM; a range of batches is left to `grouped_ssim`."""
    rule, x, y = pair.protocol.ssim, pair.original, pair.reconstruction
    if rule.window == "gauss11" and rule.border == "crop" and rule.data_range == "1":
        scores = reconstruction_scores(x, y)
        return {SSIM.name: scores.ssim, MS_SSIM.name: scores.ms_ssim}
    found = {MS_SSIM.name: ms_ssim(x, y)}
    if rule.data_range != "batch":
        found[SSIM.name] = ssim(x, y, data_range=float(rule.data_range), window=rule.window, border=rule.border)
    return found


def grouped_ssim(pairs: Sequence[Pair]) -> list[float]:
    """SSIM of neighbours that share one data range: largest minus smallest value of all of them, of the wider side.

    A black group has range 1. Source: torchmetrics' StructuralSimilarityIndexMeasure without a stated range.
    """
    sides = ([getattr(pair, which) for pair in pairs] for which in ("original", "reconstruction"))
    span = max(int(max(map(np.max, side))) - int(min(map(np.min, side))) for side in sides) / 255 or 1.0
    rules = [pair.protocol.ssim for pair in pairs]
    return [
        ssim(pair.original, pair.reconstruction, data_range=span, window=rule.window, border=rule.border)
        for pair, rule in zip(pairs, rules, strict=True)
    ]


def aggregate_ms_ssim(parts: Parts) -> Estimate | None:
    """The mean; raises `NotMeasured` where every image is too small for five scales."""
    estimate = MeanOf(MS_SSIM.name)(parts)
    if estimate is not None and parts.rows.num_rows > 0 and math.isnan(estimate.value):
        raise NotMeasured(
            f"MS-SSIM has five scales and needs sides of at least {SMALLEST_MS_SSIM} px; the scored images are smaller"
        )
    return estimate


SSIM = Metric(
    name="ssim",
    label="SSIM",
    title="structural similarity",
    better="higher",
    low=-1.0,
    high=1.0,
    source="Wang et al. 2004, doi:10.1109/TIP.2003.819861",
    level="pair",
    task="reconstruction",
    columns=floats("ssim"),
    compute=similarity_columns,
    aggregate=MeanOf("ssim"),
    under=everywhere,
    family="ssim",
    shown=frozenset({"headline", "spread", "plane", "kept"}),
)
MS_SSIM = Metric(
    name="ms_ssim",
    label="MS-SSIM",
    title="multi-scale structural similarity",
    better="higher",
    low=0.0,
    high=1.0,
    source="Wang et al. 2003",
    level="pair",
    task="reconstruction",
    columns=floats("ms_ssim"),
    compute=similarity_columns,
    aggregate=aggregate_ms_ssim,
    under=everywhere,
    family="ssim",
    shown=frozenset({"spread", "full"}),
)
DECLARED = (SSIM, MS_SSIM)
