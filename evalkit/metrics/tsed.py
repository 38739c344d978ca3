"""TSED: the share of neighbouring views whose matched points lie near the lines that their cameras tell.

Source: Yu et al. 2023 (arXiv 2304.10700) and their repository: a pair is consistent with at least 10 SIFT matches and a median
symmetric epipolar distance below 2 pixels, that of a match being the mean of its two distances. The authors match with
COLMAP; here OpenCV's SIFT is matched by COLMAP's usual rules (ratio 0.8, mutual), so that counts of matches differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from evalkit.metrics.metric import Metric, everywhere

TASK = "views"
MATCHES, DISTANCE = 10, 2.0  # the least matches; pixels
RATIO = 0.8
Array = npt.NDArray[np.float64]
TSED = Metric(
    "tsed",
    "TSED",
    f"share of neighbouring views with {MATCHES} matches or more and a median epipolar distance below {DISTANCE:g} px",
    "higher",
    level="sample",
    task=TASK,
    low=0.0,
    high=1.0,
    under=everywhere,
    source="Yu 2023",
    shown=frozenset(),
)
DECLARED = (TSED,)


@dataclass(frozen=True)
class Camera:
    """`intrinsics` [3, 3] in pixels, and `pose` [3, 4]: a world's point X lies at R X + t of the camera, z ahead, y down.

    The principal point counts from the corner of the first pixel: the middle of W pixels is W / 2.
    """

    intrinsics: Array
    pose: Array


@dataclass(frozen=True)
class Points:
    """Places [n, 2] in pixels from the image's corner, and SIFT descriptors [n, 128]."""

    places: Array
    descriptors: npt.NDArray[np.float32]


def fundamental(one: Camera, other: Camera) -> Array | None:
    """F [3, 3] with y' F x = 0 for a point x of `one` and y of `other`; None where the camera does not move.

    Source: Hartley and Zisserman 2004, equation 9.3.
    """
    turn = other.pose[:, :3] @ one.pose[:, :3].T
    x, y, z = move = other.pose[:, 3] - turn @ one.pose[:, 3]
    if np.linalg.norm(move) <= 1e-9 * max(1.0, float(np.abs(one.pose[:, 3]).max())):
        return None
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    found: Array = np.linalg.inv(other.intrinsics).T @ cross @ turn @ np.linalg.inv(one.intrinsics)
    return found


def epipolar_distances(matrix: Array, one: Array, other: Array) -> Array:
    """float64 [n] in pixels: means of the distances of matched points [n, 2] from each other's epipolar lines."""
    x, y = (np.concatenate([each, np.ones((len(each), 1))], 1) for each in (one, other))
    there, back = x @ matrix.T, y @ matrix
    off = np.abs((y * there).sum(1))
    distances: Array = (off / np.hypot(*there.T[:2]) + off / np.hypot(*back.T[:2])) / 2
    return distances


def sift_points(image: npt.NDArray[Any]) -> Points:
    """SIFT points of an RGB image, uint8 [H, W, 3]."""
    places, descriptors = cv2.SIFT_create().detectAndCompute(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), None)  # type: ignore[attr-defined]
    if not len(places):
        return Points(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    return Points(np.array([each.pt for each in places], np.float64) + 0.5, descriptors)


def matched(one: Points, other: Points) -> tuple[Array, Array]:
    """Places [n, 2] in both of points that are each other's nearest, and nearer than 0.8 of the second nearest."""
    if min(len(one.places), len(other.places)) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    there, back = _nearest(one, other), _nearest(other, one)
    pairs = [(i, j) for i, j in there.items() if back.get(j) == i]
    mine, theirs = (np.array([pair[side] for pair in pairs], int) for side in (0, 1))
    return one.places[mine], other.places[theirs]


def consistent(distances: Array) -> bool:
    """Whether a pair of views with such distances of its matches is consistent."""
    return len(distances) >= MATCHES and float(np.median(distances)) < DISTANCE


def median_distance(distances: Array) -> float | None:
    """Pixels; None without matches."""
    found = float(np.median(distances)) if len(distances) else math.nan
    return found if math.isfinite(found) else None


def _nearest(one: Points, other: Points) -> dict[int, int]:
    found = cv2.BFMatcher().knnMatch(one.descriptors, other.descriptors, k=2)
    return {first.queryIdx: first.trainIdx for first, second in found if first.distance < RATIO * second.distance}
