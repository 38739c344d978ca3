"""NIQE: how far the statistics of an image's blocks lie from those of pristine photographs (Mittal et al. 2013, IEEE SPL 20(3)).

Locally normalised values of blocks of 96 px, at two scales, are described by 36 numbers: shape and spread of the values
and of the products of neighbours. The score is the distance of the blocks' Gaussian from that of 125 pristine images, whose
parameters are those of the authors' release (see NOTICE). It knows nothing of content: texture and noise move it, few blocks
make it unsteady, and generated images may be "more natural" than photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from scipy.special import gamma

from evalkit.errors import EvalkitError
from evalkit.metrics.score import declare_score

Array = npt.NDArray[np.float64]
Luma = Literal["gray", "y"]
BLOCK, TAPS, FLAT = 96, 7, 1e-9
NEEDED = f"it takes two whole blocks of {BLOCK} px that are not flat"
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))  # of neighbours: across, down, and both diagonals
_SOURCE = "Mittal, Soundararajan & Bovik 2013, IEEE Signal Processing Letters 20(3)"
NIQE = declare_score(
    "niqe", "NIQE", "naturalness by block statistics, as released", "lower", source=_SOURCE, needs=(), level="sample"
)
NIQE_Y = declare_score(
    "niqe_y",
    "NIQE (Y)",
    "naturalness of the Y of YCbCr, as super-resolution papers take it",
    "lower",
    source="XPixelGroup/BasicSR metrics/niqe.py",
    needs=(),
    level="sample",
)
LUMA: dict[str, Luma] = {NIQE.name: "gray", NIQE_Y.name: "y"}
DECLARED = (NIQE, NIQE_Y)


@dataclass(frozen=True)
class Pristine:
    """Mean [36] and covariance [36, 36] of the block features of pristine images."""

    mean: Array
    covariance: Array


@cache
def pristine() -> Pristine:
    """The parameters that come with evalkit."""
    with (package_files("evalkit.metrics") / "data" / "niqe.npz").open("rb") as stream, np.load(stream) as held:
        return Pristine(held["mean"], held["covariance"])


def niqe(image: npt.NDArray[Any], luma: Luma = "gray", model: Pristine | None = None) -> float:
    """NIQE of a uint8 [H, W, 3] image; nan where fewer than two whole blocks of 96 px have structure.

    `luma`: MATLAB's rgb2gray, or its Y of YCbCr. Raises `EvalkitError` for anything but 8-bit colour images.

    >>> bool(np.isnan(niqe(np.zeros((192, 96, 3), np.uint8))))
    True
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise EvalkitError(f"NIQE takes uint8 [H, W, 3] images; {image.dtype} {image.shape} was given. Convert it.")
    features = block_features(luminance(image, luma))
    whole = features[~np.isnan(features).any(1)]
    if len(whole) < 2:
        return float("nan")
    model = model or pristine()
    apart = model.mean - np.nanmean(features, 0)
    shared = np.linalg.pinv((model.covariance + np.cov(whole, rowvar=False)) / 2)
    return float(np.sqrt(apart @ shared @ apart))


def luminance(image: npt.NDArray[Any], luma: Luma) -> Array:
    """float64 [H, W] of whole grey levels."""
    red, green, blue = (image[..., channel].astype(np.float64) for channel in range(3))
    if luma == "y":
        return np.rint(16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255)
    return np.rint(0.2989 * red + 0.587 * green + 0.114 * blue)


def block_features(gray: Array) -> Array:
    """float64 [blocks, 36] of a grey image; rows hold nan where a block is flat."""
    down, across = (side // BLOCK for side in gray.shape)
    if not down or not across:
        return np.full((0, 36), np.nan)
    gray = gray[: down * BLOCK, : across * BLOCK]
    found = []
    for side in (BLOCK, BLOCK // 2):
        blocks = normalised(gray).reshape(down, side, across, side).swapaxes(1, 2).reshape(-1, side, side)
        found.append(_described(blocks))
        gray = halved(gray) if side == BLOCK else gray
    return np.concatenate(found, 1)


def normalised(gray: Array) -> Array:
    """(v - local mean) / (local deviation + 1), by a Gaussian window of 7 px whose border repeats.

    Where the image is flat, what rounding leaves is set to 0: its sign would count, and is another one on each machine.
    """
    window = cv2.getGaussianKernel(TAPS, TAPS / 6, cv2.CV_64F)

    def smooth(x: Array) -> Array:
        return np.asarray(cv2.sepFilter2D(x, cv2.CV_64F, window, window, borderType=cv2.BORDER_REPLICATE))

    mean = smooth(gray)
    result: Array = (gray - mean) / (np.sqrt(np.abs(smooth(gray * gray) - mean * mean)) + 1)
    result[np.abs(result) < FLAT] = 0
    return result


def halved(gray: Array) -> Array:
    """The image at half its size by MATLAB's antialiased bicubic filter, whose border is mirrored."""
    places = np.abs(np.arange(-3.5, 4)) / 2
    near = 1.5 * places**3 - 2.5 * places**2 + 1
    far = -0.5 * places**3 + 2.5 * places**2 - 4 * places + 2
    weights = np.where(places <= 1, near, far) / 2
    weights /= weights.sum()
    for _ in range(2):  # rows, then columns
        padded = np.pad(gray, ((3, 3), (0, 0)), mode="symmetric")
        count = len(gray) // 2
        gray = sum(w * padded[k : k + 2 * count : 2] for k, w in enumerate(weights)).T
    return gray


def _described(blocks: Array) -> Array:
    """[n, 18] of blocks [n, h, w]: shape and spread of the values, then four numbers for each product of neighbours."""
    shape, left, right = _asymmetric(blocks)
    found = [shape, (left + right) / 2]
    for shift in SHIFTS:
        shape, left, right = _asymmetric(blocks * np.roll(blocks, shift, (1, 2)))
        found += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(found, 1)


@cache
def _table() -> tuple[Array, Array]:
    """Shapes of a generalised Gaussian and the ratio (mean |x|)² / mean x² that each has."""
    shapes = np.arange(0.2, 10.001, 0.001)
    inverse = 1 / shapes
    return shapes, gamma(2 * inverse) ** 2 / (gamma(inverse) * gamma(3 * inverse))


def _asymmetric(values: Array) -> tuple[Array, Array, Array]:
    """(shape, left scale, right scale), each [n], of an asymmetric generalised Gaussian fitted to values [n, h, w]."""
    flat = values.reshape(len(values), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (np.sqrt((flat * flat * side).sum(1) / side.sum(1)) for side in ((flat < 0), (flat > 0)))
        skew = left / right
        ratio = np.abs(flat).mean(1) ** 2 / (flat * flat).mean(1)
        wanted = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
        shapes, ratios = _table()
        after = np.clip(np.searchsorted(ratios, wanted), 1, len(ratios) - 1)
        nearer = after - (wanted - ratios[after - 1] <= ratios[after] - wanted)
        shape = np.where(np.isnan(wanted), shapes[0], shapes[nearer])
        spread = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * spread, right * spread
