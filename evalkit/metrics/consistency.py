"""Whether an image keeps what it was told to keep: edges, maps of depth or segments, and its subject.

Control consistency compares a map of the image with the map that controlled it (ControlNet++, arXiv:2404.07987). Edges
are found here; maps of other networks (HED, lineart, depth, segments) are compared as images that somebody made with
them. Subject fidelity is a cosine of features (DreamBooth, arXiv:2208.12242), here of DINOv2 and CLIP.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.psnr import Image, same_shape

LOW, HIGH = 100, 200  # thresholds of Canny's edges, as ControlNet has them


def canny(image: Image) -> npt.NDArray[np.bool_]:
    """Canny's edges bool [H, W] of a uint8 [H, W, 3] image."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.Canny(grey, LOW, HIGH)) > 0


def canny_f1(wanted: Image, made: Image) -> float:
    """F1 of the edges of two images, pixel by pixel; 1 where neither has any."""
    same_shape(wanted, made)
    a, b = canny(wanted), canny(made)
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def map_rmse(wanted: Image, made: Image) -> float:
    """Root of the mean squared difference of two maps, in grey levels of 0 to 255."""
    same_shape(wanted, made)
    return float(np.sqrt(np.mean((wanted.astype(np.float64) - made.astype(np.float64)) ** 2)))


def map_iou(wanted: Image, made: Image) -> float:
    """Mean over the wanted map's colours of intersection over union, for maps whose colours name segments.

    >>> zeros = np.zeros((2, 2, 3), np.uint8)
    >>> map_iou(zeros, zeros)
    1.0
    """
    same_shape(wanted, made)
    a, b = (_coded(each) for each in (wanted, made))
    found = [float(((a == code) & (b == code)).sum() / ((a == code) | (b == code)).sum()) for code in np.unique(a)]
    return float(np.mean(found))


def cosine(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Cosine of two feature vectors. Raises `EvalkitError` for one of length 0."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    length = float(np.linalg.norm(x) * np.linalg.norm(y))
    if not length:
        raise EvalkitError("features of length 0 have no direction. Give the features of an image")
    return float(x @ y) / length


def _coded(image: Image) -> npt.NDArray[np.int64]:
    """One number for each colour."""
    codes: npt.NDArray[np.int64] = image.astype(np.int64) @ np.array([65536, 256, 1])
    return codes
