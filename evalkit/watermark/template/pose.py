"""Where a pattern lies in an image: mirror, scale, angle and place by correlation, every pose of a grid, then in between.

The image is whitened by its own texture and spectrum, so that a fine regular pattern of the image itself makes no peak. A
pose is tried by warping the whitened image and correlating it with the pattern, for all shifts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import fft

from evalkit.images.geometry import fit_square
from evalkit.images.sample import Pixels
from evalkit.watermark.identity import PREPARE
from evalkit.watermark.keys import Key
from evalkit.watermark.template.pattern import BAND, SIDE, Plane, grey, pattern, radii

SCALES = tuple(float(each) for each in np.geomspace(0.7, 1.1, 39))
ANGLES = tuple(float(each) for each in np.linspace(-4, 4, 11))
TURNS = (180.0, 90.0, -90.0)  # tried at the image's own scale
PEAKS = 4  # poses of the grid that are refined
CLEAR = 9.0  # a peak that no other pose of an image has: the grid ends there
STEPS = ((0.006, 0.4), (0.003, 0.2), (0.0015, 0.1))  # of scale and angle, in turn
NEAR, AROUND, QUIET, CLIP = (
    1.5,
    2.0,
    0.5,
    1.0,
)  # whitening: pixels that predict a pixel, that tell its spread; its least, most
FLOOR = 0.05  # of the mean amplitude, below which a frequency is not raised


@dataclass(frozen=True)
class Pose:
    """What is undone, in this order: a mirror, a scale and an angle (counter-clockwise) about the centre, a shift by
    shares of the side. `peak`: of the correlation, in its standard deviations.
    """

    flip: bool = False
    scale: float = 1.0
    angle: float = 0.0
    dx: float = 0.0
    dy: float = 0.0
    peak: float = 0.0

    def warp(self, image: Pixels, *, sharp: bool = False) -> Pixels:
        """A square image uint8 [S, S] or [S, S, C] with all of it undone (bicubic, or nearest); what it lacks is 0."""
        return np.asarray(self._moved(image, cv2.INTER_NEAREST if sharp else cv2.INTER_CUBIC), np.uint8)

    def warp_plane(self, plane: Plane) -> Plane:
        """The same of a whitened plane (bilinear)."""
        return np.asarray(self._moved(plane, cv2.INTER_LINEAR), np.float32)

    def _moved(self, image: npt.NDArray[Any], how: int) -> npt.NDArray[Any]:
        side = image.shape[0]
        moved = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), self.angle, self.scale)
        moved[:, 2] -= np.array([self.dx, self.dy]) * side
        seen = np.ascontiguousarray(image[:, ::-1]) if self.flip else image
        return np.asarray(cv2.warpAffine(seen, moved, (side, side), flags=how))


def found_pose(image: Pixels, keys: Sequence[Key]) -> Pose:
    """Where the pattern of one of the keys most probably lies in a square image; a pose for any image, true or not."""
    square = image if image.shape[0] == SIDE else fit_square(image, SIDE, PREPARE)
    plane = _whitened(grey(square))
    return max((_best(plane, np.conj(fft.rfft2(pattern(key)))) for key in keys), key=lambda pose: pose.peak)


def _best(plane: Plane, wanted: npt.NDArray[np.complexfloating]) -> Pose:
    band = (radii() >= BAND[0] - 2) & (radii() <= BAND[1] + 4)

    def at(pose: Pose) -> Pose:
        return _placed(pose, _correlation(plane, pose, wanted, band))

    tried: list[Pose] = []
    for pose in _grid():
        tried.append(at(pose))
        if tried[-1].peak >= CLEAR:
            return _refined(tried[-1], at)
    tried.sort(key=lambda pose: -pose.peak)
    return max((_refined(each, at) for each in tried[:PEAKS]), key=lambda pose: pose.peak)


def _grid() -> Iterator[Pose]:
    """All poses, the likely ones first."""
    for angle in sorted(ANGLES, key=abs):
        for scale in (1.0, *SCALES):
            yield from (Pose(flip, scale, angle) for flip in (False, True))
        if angle == 0:
            yield from (Pose(flip, 1.0, turn) for turn in TURNS for flip in (False, True))


def _refined(pose: Pose, at: Callable[[Pose], Pose]) -> Pose:
    """Better scales and angles nearby."""
    for scale, angle in STEPS:
        for _ in range(3):
            near = [replace(pose, scale=pose.scale * (1 + sign * scale), dx=0, dy=0) for sign in (-1, 1)]
            near += [replace(pose, angle=pose.angle + sign * angle, dx=0, dy=0) for sign in (-1, 1)]
            best = max(map(at, near), key=lambda each: each.peak)
            if best.peak <= pose.peak:
                break
            pose = best
    return pose


def _whitened(plane: Plane) -> Plane:
    """Texture of one strength everywhere."""
    rest = plane - cv2.GaussianBlur(plane, (0, 0), NEAR)
    deviation = np.sqrt(cv2.GaussianBlur(rest * rest, (0, 0), AROUND))
    found: Plane = np.clip(rest / (deviation + QUIET), -CLIP, CLIP)
    return found


def _correlation(
    plane: Plane, pose: Pose, wanted: npt.NDArray[np.complexfloating], band: npt.NDArray[np.bool_]
) -> Plane:
    spectrum = fft.rfft2(pose.warp_plane(plane))
    size = cv2.blur(np.abs(spectrum).astype(np.float32), (5, 5))
    found: Plane = fft.irfft2(spectrum * wanted * band / (size + FLOOR * size.mean()), (SIDE, SIDE))
    return found


def _placed(pose: Pose, surface: Plane) -> Pose:
    """The pose with the shift of the surface's peak, between pixels by a parabola."""
    top = int(surface.argmax())
    y, x = divmod(top, SIDE)

    def between(before: float, here: float, after: float, at: int) -> float:
        curve = before - 2 * here + after
        place = at + (0.5 * (before - after) / curve if curve < 0 else 0.0)
        return (place - SIDE if place > SIDE / 2 else place) / SIDE

    row, column = surface[y], surface[:, x]
    dx = between(float(row[x - 1]), float(row[x]), float(row[(x + 1) % SIDE]), x)
    dy = between(float(column[y - 1]), float(column[y]), float(column[(y + 1) % SIDE]), y)
    return replace(pose, dx=dx, dy=dy, peak=float(surface[y, x] / surface.std()))
