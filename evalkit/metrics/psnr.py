"""Squared error and PSNR, per image and pooled over a set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Metric, Pair, Parts, everywhere, floats
from evalkit.metrics.sums import OWN_MEAN, BySample, Columns, Mask, Sums, own_mean

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


def error_columns(pair: Pair) -> Mapping[str, float]:
    """MSE and PSNR of a pair and the range of its original, all on the [0, 1] scale."""
    original = pair.original
    error = mse(original, pair.reconstruction)
    low, high = float(original.min()) / 255, float(original.max()) / 255
    return {TARGET_LOW: low, TARGET_HIGH: high, MSE.name: error, PSNR.name: psnr(error)}


def aggregate_psnr(parts: Parts) -> Estimate:
    """The mean over images, or the PSNR of the mean squared error, as the protocol says.

    The interval of the latter is that of the error, carried through the logarithm.
    """
    from evalkit.stats.intervals import log_mean_interval, mean_interval, transform

    rule = parts.protocol.psnr
    # identical pairs are counted beside the mean of the others (`images_exact`, `psnr_pooled`)
    if rule.aggregate == "mean":
        return mean_interval(parts.column(PSNR.name), method="mean", range=parts.range)
    peak = 1.0
    if rule.data_range == "targets" and parts.rows.num_rows:
        peak = target_range(parts.column(TARGET_LOW), parts.column(TARGET_HIGH))
    error = log_mean_interval(parts.column(MSE.name))
    return transform(error, lambda mean_error: psnr(mean_error, peak), "10 log10(peak² / mean error)")


def exact_images(parts: Parts) -> Estimate | None:
    """How many images are identical to their originals; no row where none is, or no mean over images leaves them out."""
    exact = _exact(parts)
    return Estimate(float(exact), None, None, parts.rows.num_rows, "count") if exact else None


def pooled_beside(parts: Parts) -> Estimate | None:
    """The PSNR of the mean squared error over all images, exact ones too; no row where the mean leaves none out."""
    from evalkit.stats.intervals import log_mean_interval, transform

    if not _exact(parts):
        return None
    return transform(log_mean_interval(parts.column(MSE.name)), psnr, "10 log10(1 / mean error)")


def _exact(parts: Parts) -> int:
    return int(np.isinf(parts.column(PSNR.name)).sum()) if parts.protocol.psnr.aggregate == "mean" else 0


def psnr_sums(metric: str, columns: Columns, rows: Mask) -> Iterator[Sums]:
    """The mean of the column; or the PSNR of the mean error, with a peak of 1 or of the targets' range."""
    yield from own_mean(metric, columns, rows)
    errors, low, high = (columns.numbers(name) for name in (MSE.name, TARGET_LOW, TARGET_HIGH))
    if errors is None or low is None or high is None:
        return
    keep = rows & ~np.isnan(errors)
    mean = float(errors[keep].mean()) if keep.any() else 0.0
    if mean > 0:
        for peak in (1.0, target_range(low[keep], high[keep])):
            if peak > 0:
                yield Sums(errors, None, -10 / math.log(10) / mean, 10 * math.log10(peak * peak / mean))


TARGET_LOW, TARGET_HIGH = "target_low", "target_high"
MSE = Metric(
    name="mse",
    label="MSE",
    title="mean squared error on [0, 1]",
    better="lower",
    low=0.0,
    high=1.0,
    level="pair",
    task="reconstruction",
    columns=floats("mse"),
    compute=error_columns,
    under=everywhere,
    shown=frozenset(),
)
PSNR = Metric(
    name="psnr",
    label="PSNR",
    title="peak signal-to-noise ratio",
    unit="dB",
    better="higher",
    low=0.0,
    source="10 log10(peak² / mean squared error)",
    level="pair",
    task="reconstruction",
    columns=floats("mse", TARGET_LOW, TARGET_HIGH, "psnr"),
    compute=error_columns,
    aggregate=aggregate_psnr,
    under=everywhere,
    by_sample=BySample(psnr_sums, ("mse", TARGET_LOW, TARGET_HIGH)),
    family="psnr",
    shown=frozenset({"headline", "spread", "plane", "kept"}),
)
EXACT = replace(
    PSNR,
    name="images_exact",
    label="Exact images",
    title="images identical to their originals, which the mean PSNR leaves out",
    unit="",
    better="none",
    source="definition",
    aggregate=exact_images,
    by_sample=OWN_MEAN,
    family="",
    shown=frozenset(),
)
POOLED = replace(
    PSNR,
    name="psnr_pooled",
    label="PSNR, pooled",
    title="PSNR of the mean squared error over all images, beside a mean that leaves exact ones out",
    better="none",
    aggregate=pooled_beside,
    by_sample=OWN_MEAN,
    family="",
    shown=frozenset(),
)
DECLARED = (PSNR, MSE, EXACT, POOLED)
