"""Squared error and PSNR, per image and pooled over a set."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError

Image = npt.NDArray[Any]


def as_unit(image: Image) -> npt.NDArray[np.float64]:
    """An image as float64 on the [0, 1] scale; uint8 is divided by 255, floats are taken as they are."""
    if image.dtype == np.uint8:
        return image.astype(np.float64) / 255
    if not np.issubdtype(image.dtype, np.floating):
        raise EvalkitError(f"images are uint8, or floats on [0, 1]; {image.dtype} was given")
    return image.astype(np.float64)


def same_shape(x: Image, y: Image) -> None:
    """Raise unless two images have one shape."""
    if x.shape != y.shape:
        raise EvalkitError(f"the two images differ in shape: {x.shape} and {y.shape}; resize one of them first")


def mse(x: Image, y: Image) -> float:
    """Mean squared error of two [H, W, C] images on the [0, 1] scale, in float64.

    >>> mse(np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8))
    1.0
    """
    same_shape(x, y)
    if x.dtype == y.dtype == np.uint8:
        return float(cv2.norm(x, y, cv2.NORM_L2SQR)) / x.size / 255**2
    return float(np.square(as_unit(x) - as_unit(y)).mean())


def psnr(error: float, peak: float = 1.0) -> float:
    """10 log10(peak² / error) in dB; two identical images give infinity.

    >>> round(psnr(0.01), 6)
    20.0
    """
    if error < 0 or peak <= 0:
        raise EvalkitError(f"PSNR needs an error from 0 and a peak above 0; {error} and {peak} were given")
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def target_range(lows: npt.NDArray[np.float64], highs: npt.NDArray[np.float64]) -> float:
    """Range of the targets of a set as torchmetrics keeps it: running maximum minus minimum, both started at 0."""
    high = max(float(highs.max(initial=0.0)), 0.0)
    return high - min(float(lows.min(initial=0.0)), 0.0)


def pooled_psnr(errors: npt.NDArray[np.float64], peak: float = 1.0) -> float:
    """PSNR of the mean squared error of equally large images; it never exceeds the mean of their PSNRs (Jensen)."""
    return psnr(float(np.mean(errors)), peak)
