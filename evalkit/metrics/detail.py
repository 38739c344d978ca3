"""Did fine detail survive? Spectral energy, agreement of high-pass residuals, and scores of the busiest crops.

Luma is 0.299 R + 0.587 G + 0.114 B on the 0..255 scale. Two views of it are taken:

- the power spectrum under a Hann window, summed over rings 1/32 cycles per pixel wide from half of Nyquist (0.25 cycles
  per pixel) to the corner. `hf_energy` is the share of the original's energy that the reconstruction matches ring by
  ring, `hf_added` the share of the reconstruction's energy that the original does not have; the plain ratio of
  energies is hf_energy / (1 - hf_added);
- the high-pass residual, luma minus its Gaussian blur of sigma 1.5 px. `hf_correlation` is Pearson's correlation of both
  residuals: energy of the right amount in the wrong place (noise, hallucinated texture) does not help it.

An image whose detail is no more than half a grey level (rms, which 8-bit rounding of a smooth slope can make by itself)
has none that could survive: None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.aggregate import MeanOf
from evalkit.metrics.metric import Direction, Metric, Pair, View, floats
from evalkit.metrics.psnr import Image, mse, psnr, same_shape

Floats = npt.NDArray[np.float32]
CUTOFF = 0.25  # cycles per pixel; Nyquist is 0.5
RING = 1 / 32
SIGMA = 1.5
CROPS = 4
SMALLEST = 32
FLOOR = 0.25  # variance in squared grey levels


@dataclass(frozen=True)
class DetailScores:
    """Scores of one pair; shares and correlations without unit, `psnr_detail` in dB, None where there is no detail."""

    hf_energy: float | None
    hf_added: float | None
    hf_correlation: float | None
    psnr_detail: float | None
    hf_correlation_detail: float | None


def detail_scores(original: Image, reconstruction: Image) -> DetailScores:
    """All detail scores of two uint8 [H, W, 3] images of one shape; all None below 32 px a side."""
    same_shape(original, reconstruction)
    if original.ndim != 3 or original.shape[2] != 3 or original.dtype != np.uint8 or reconstruction.dtype != np.uint8:
        raise EvalkitError(f"detail scores take uint8 [H, W, 3] images; {original.dtype} {original.shape} was given")
    if min(original.shape[:2]) < SMALLEST:
        return DetailScores(None, None, None, None, None)
    x, y = luma(original), luma(reconstruction)
    kept, added = energy_shares(x, y)
    high_x, high_y = residual(x), residual(y)
    crops = busiest_crops(high_x, min(x.shape) // 4)
    pixels = [(_crops(original, crops), _crops(reconstruction, crops)), (_crops(high_x, crops), _crops(high_y, crops))]
    return DetailScores(
        kept, added, correlation(high_x, high_y), psnr(mse(*pixels[0])) if crops else None, correlation(*pixels[1])
    )


def luma(image: Image) -> Floats:
    """float32 [H, W] on 0..255 of a uint8 [H, W, 3] image."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY), np.float32)


def residual(x: Floats) -> Floats:
    """What a Gaussian blur of sigma 1.5 px takes away (reflected borders)."""
    return np.asarray(x - cv2.GaussianBlur(x, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT_101), np.float32)


def correlation(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> float | None:
    """Pearson's correlation of two residuals; 0 where only `y` is flat, None where `x` is."""
    if not x.size:
        return None
    u, v = (each.ravel() - each.mean() for each in (np.asarray(x, np.float64), np.asarray(y, np.float64)))
    xx, yy = float(u @ u), float(v @ v)
    if xx <= FLOOR * u.size:
        return None
    return min(1.0, max(-1.0, float(u @ v) / (xx * yy) ** 0.5)) if yy > 0 else 0.0


def energy_shares(x: Floats, y: Floats) -> tuple[float | None, float | None]:
    """`hf_energy` and `hf_added` of lumas [H, W]; None where `x` holds no more than the floor above the cutoff."""
    window, rings, floor = _plan(*x.shape)
    original, found = (_ring_energy(each, window, rings) for each in (x, y))
    total, whole = float(original.sum()), float(found.sum())
    if total <= floor:
        return None, None
    matched = float(np.minimum(original, found).sum())
    return matched / total, 1 - matched / whole if whole > 0 else 0.0


def busiest_crops(high: Floats, side: int, count: int = CROPS) -> list[tuple[int, int]]:
    """(top, left) of `count` squares that do not overlap, by energy of the residual [H, W], the richest first.

    Taken one after the other from a lattice of a quarter of the side; fewer where no more fit, or where what is left has no
    detail.
    """
    sums = cv2.integral(np.square(high), sdepth=cv2.CV_64F)
    step = max(1, side // 4)
    tops, lefts = (np.arange(0, length - side + 1, step) for length in high.shape)
    energy = sums[np.ix_(tops + side, lefts + side)] - sums[np.ix_(tops, lefts + side)]
    energy = energy - sums[np.ix_(tops + side, lefts)] + sums[np.ix_(tops, lefts)]
    found: list[tuple[int, int]] = []
    while len(found) < count:
        row, column = np.unravel_index(int(energy.argmax()), energy.shape)
        if energy[row, column] <= FLOOR * side**2:
            break
        top, left = int(tops[row]), int(lefts[column])
        found.append((top, left))
        energy[np.ix_(abs(tops - top) < side, abs(lefts - left) < side)] = -1
    return found


def _crops(image: npt.NDArray[Any], corners: list[tuple[int, int]]) -> npt.NDArray[Any]:
    side = min(image.shape[:2]) // 4
    if not corners:
        return image[:0]
    return np.concatenate([image[top : top + side, left : left + side] for top, left in corners])


def _ring_energy(x: Floats, window: Floats, rings: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    import scipy.fft  # slow to import

    spectrum = scipy.fft.rfft2((x - x.mean()) * window)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    last = (x.shape[1] - 1) // 2  # these columns stand for their mirror images as well
    power[:, 1 : last + 1] *= 2
    return np.asarray(np.bincount(rings, power.ravel())[1:], np.float64)


@lru_cache(maxsize=8)
def _plan(height: int, width: int) -> tuple[Floats, npt.NDArray[np.intp], float]:
    """Window, ring of every bin of the half spectrum (0: below the cutoff), the floor's energy above the cutoff."""
    window = np.outer(_hann(height), _hann(width))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    rings = np.where(radius < CUTOFF, 0, np.floor((radius - CUTOFF) / RING) + 1).astype(np.intp)
    everywhere = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    floor = FLOOR * float(np.square(window).sum()) * int((everywhere >= CUTOFF).sum())
    return window.astype(np.float32), rings.ravel(), floor


def _hann(n: int) -> npt.NDArray[np.float64]:
    """Without zeros at the ends, so that every pixel counts."""
    return np.asarray(np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2)


def detail_columns(pair: Pair) -> Mapping[str, float | None]:
    """The detail columns of a pair."""
    return asdict(detail_scores(pair.original, pair.reconstruction))


def photographs_of_detail(task: str | None) -> bool:
    """Images that the data names for fine detail, and all images of data that names none."""
    return task in ("detail", None)


def _declared(name: str, label: str, title: str, *, better: Direction = "higher", full: bool = False) -> Metric:
    correlates = name.startswith("hf_correlation")
    views: frozenset[View] = frozenset({"full"}) if full else frozenset()
    return Metric(
        name=name,
        label=label,
        title=title,
        unit="dB" if name == "psnr_detail" else "",
        better=better,
        low=-1.0 if correlates else 0.0,
        high=None if name == "psnr_detail" else 1.0,
        source="evalkit.metrics.detail",
        level="pair",
        task="detail",
        columns=floats(name),
        compute=detail_columns,
        aggregate=MeanOf(name),
        images=photographs_of_detail,
        shown=views,
    )


DECLARED = (
    _declared("hf_energy", "Fine detail matched", "share of fine detail's energy that is matched"),
    _declared(
        "hf_added", "Fine detail added", "share of the result's fine energy that is new", better="lower", full=True
    ),
    _declared("hf_correlation", "Fine detail, correlation", "correlation of high-pass residuals"),
    _declared("psnr_detail", "PSNR of detailed crops", "PSNR of the four crops with most detail"),
    _declared("hf_correlation_detail", "Correlation in detailed crops", "hf_correlation in the same crops", full=True),
)
