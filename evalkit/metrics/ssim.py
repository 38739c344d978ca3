"""SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003) by separable filters.

Three forms are in use and differ: scikit-image's Gaussian (border left out) and uniform 7x7 (sample covariance), and
torchmetrics' Gaussian with reflected borders. A protocol names the one it takes.

With a = x + y and b = x - y, a window's means give 2 m_x m_y = (m_a² - m_b²) / 2 and m_x² + m_y² = (m_a² + m_b²) / 2,
and its variances give 2 c_xy = (v_a - v_b) / 2 and v_x + v_y = (v_a + v_b) / 2. Four filters suffice, b vanishes for
equal pictures (SSIM is then exactly 1), and rounding of v_a cancels in the ratio, so that float32 holds 1e-6 for 8-bit
pictures; floating-point pictures are taken through in float64. Average pooling of a and b is that of x and y, so
MS-SSIM goes on with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.psnr import Image, as_unit, mse, psnr, same_shape

Array = npt.NDArray[np.floating[Any]]
Window = Literal["gauss11", "uniform7"]
Border = Literal["crop", "reflect"]

K1, K2 = 0.01, 0.03
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
    """Mean SSIM over positions and channels of two [H, W, C] pictures (uint8, or floats on [0, 1]); in [-1, 1].

    `gauss11`: sigma 1.5, population covariance. `uniform7`: sample covariance (scikit-image's default).
    `border`: leave out positions whose window leaves the picture, or reflect it there (torchmetrics).
    """
    same_shape(x, y)
    if window == "uniform7":  # its sample covariance needs more than float32 to agree to 1e-6
        x, y = as_unit(x), as_unit(y)
    a, b, unit = _sum_and_difference(x, y)
    _check_side(x, len(_KERNELS[window]))
    luminance, contrast = _terms(a, b, data_range * unit, window)
    return _mean(luminance * contrast, window if border == "crop" else None)


def ms_ssim(x: Image, y: Image, *, data_range: float = 1.0) -> float:
    """Multi-scale SSIM in torchmetrics' form: five scales, negative terms set to 0; nan below 161 pixels a side."""
    a, b, unit = _sum_and_difference(x, y)
    return _ms_ssim(a, b, data_range * unit, None)


def reconstruction_scores(x: Image, y: Image) -> ReconstructionScores:
    """All four scores of an original and its reconstruction in one pass (SSIM: gauss11, border left out, range 1)."""
    a, b, unit = _sum_and_difference(x, y)
    _check_side(x, 11)
    error = mse(x, y)
    first = _terms(a, b, unit, "gauss11")
    structure = _mean(first[0] * first[1], "gauss11")
    return ReconstructionScores(error, psnr(error), structure, _ms_ssim(a, b, unit, first))


def _sum_and_difference(x: Image, y: Image) -> tuple[Array, Array, float]:
    """x + y and x - y, and what 1.0 on the [0, 1] scale is in them."""
    same_shape(x, y)
    if x.dtype == y.dtype == np.uint8:
        return (
            np.asarray(cv2.add(x, y, dtype=cv2.CV_32F)).reshape(x.shape),
            np.asarray(cv2.subtract(x, y, dtype=cv2.CV_32F)).reshape(x.shape),
            255.0,
        )
    u, v = as_unit(x), as_unit(y)
    return u + v, u - v, 1.0


def _terms(a: Array, b: Array, data_range: float, window: Window) -> tuple[Array, Array]:
    """Luminance and contrast-structure maps [H, W, C] of SSIM from the sum and the difference of two pictures."""
    c1, c2 = 2 * (K1 * data_range) ** 2, 2 * (K2 * data_range) ** 2
    shift = data_range if a.dtype == np.float32 else 0.0  # centres 8-bit sums, so that their squares stay exact
    centred = a - a.dtype.type(shift) if shift else a
    mean_a, mean_b = _smooth(centred, window), _smooth(b, window)
    var_a, var_b = _smooth(centred * centred, window), _smooth(b * b, window)
    var_a -= mean_a * mean_a
    var_b -= mean_b * mean_b
    if window == "uniform7":
        var_a *= 49 / 48
        var_b *= 49 / 48
    np.maximum(var_a, 0, out=var_a)
    np.maximum(var_b, 0, out=var_b)
    mean_a += shift
    mean_a *= mean_a
    mean_b *= mean_b
    return _ratio(mean_a, mean_b, c1), _ratio(var_a, var_b, c2)


def _ratio(u: Array, v: Array, c: float) -> Array:
    """(u - v + c) / (u + v + c), in the place of `u`."""
    top = u - v
    top += c
    u += v
    u += c
    top /= u
    return top


def _ms_ssim(a: Array, b: Array, data_range: float, first: tuple[Array, Array] | None) -> float:
    if min(a.shape[:2]) < SMALLEST_MS_SSIM:
        return math.nan
    terms: list[float] = []
    for scale in range(len(BETAS)):
        luminance, contrast = first if first and scale == 0 else _terms(a, b, data_range, "gauss11")
        last = scale == len(BETAS) - 1
        terms.append(_mean(luminance * contrast, None) if last else _mean(contrast, "gauss11"))
        if not last:
            a, b = _halve(a), _halve(b)
    return float(math.prod(max(term, 0.0) ** beta for term, beta in zip(terms, BETAS, strict=True)))


def _gaussian() -> npt.NDArray[np.float64]:
    offsets = np.arange(-5, 6, dtype=np.float64)
    weights = np.exp(-0.5 * (offsets / 1.5) ** 2)
    return np.asarray(weights / weights.sum())


_KERNELS: dict[Window, npt.NDArray[np.float64]] = {"gauss11": _gaussian(), "uniform7": np.full(7, 1 / 7)}


def _smooth(x: Array, window: Window) -> Array:
    kernel = _KERNELS[window]
    return np.asarray(cv2.sepFilter2D(x, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)).reshape(x.shape)


def _mean(values: Array, window: Window | None) -> float:
    margin = len(_KERNELS[window]) // 2 if window else 0
    inner = values[margin:-margin, margin:-margin] if margin else values
    return float(inner.mean(dtype=np.float64))


def _halve(x: Array) -> Array:
    h, w = x.shape[0] // 2, x.shape[1] // 2
    half = cv2.resize(x[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA)
    return np.asarray(half).reshape(h, w, x.shape[2])


def _check_side(x: Image, least: int) -> None:
    if x.ndim != 3 or min(x.shape[:2]) < least:
        raise EvalkitError(f"SSIM takes [H, W, C] pictures with sides from {least}; shape {x.shape} was given")
