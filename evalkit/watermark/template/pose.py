"""Where a pattern lies in an image: mirror, scale and angle by its waves in one spectrum, then the place by their phases.

The image is whitened by its own texture, and its spectrum by what lies around each frequency, so that a fine regular pattern
of the image itself counts little. A pose moves the waves' frequencies; the power there, summed, needs no transform. For the
few poses of the most power the phases tell the shift. An image in which no pose has a clear peak holds no pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import fft
from scipy.sparse import csr_array

from evalkit.images.geometry import fit_square
from evalkit.images.sample import Pixels
from evalkit.watermark.identity import PREPARE
from evalkit.watermark.keys import Key
from evalkit.watermark.template.pattern import SIDE, WAVES, Plane, Waves, grey, waves

Floats = npt.NDArray[np.float64]
SCALES = tuple(float(each) for each in np.geomspace(0.7, 1.1, 77))
ANGLES = tuple(float(each) for each in np.linspace(-4, 4, 21))
PEAKS = 4  # poses of the grid whose shift is looked for, of those with
LEAST = 73.0  # the power that 3 in 5 unmarked images have in a pose, and nearly every pattern that is seen
CLEAR = 5.0  # a peak, in standard deviations, below which there is no pattern: 1 unmarked image in 500 has one
STEPS = ((0.003, 0.2), (0.0015, 0.1))  # of scale and angle, in turn
PADDED = 2 * SIDE  # side of the transform: frequencies between whole ones are needed
COLUMNS = 200  # of half a spectrum that are computed: no pose takes a wave to 190, and `AMONG` looks at ten more
NEAR, AROUND = 5, 7  # whitening: pixels of a side that predict one, that tell its spread
QUIET, CLIP = 0.5, 1.0  # its least spread, and the most it leaves
AMONG, FLOOR, LOUD = 21, 0.05, 8.0  # cells of a side that tell the usual power; its least share of all; the most of it


@dataclass(frozen=True)
class Pose:
    """What is undone, in this order: a mirror, a scale and an angle (counter-clockwise) about the centre, a shift by
    shares of the side. `height`: what the waves sum up to there; `peak`: the same in standard deviations of all shifts.
    """

    flip: bool = False
    scale: float = 1.0
    angle: float = 0.0
    dx: float = 0.0
    dy: float = 0.0
    height: float = 0.0
    peak: float = 0.0

    def warp(self, image: Pixels, *, sharp: bool = False) -> Pixels:
        """A square image uint8 [S, S] or [S, S, C] with all of it undone (bicubic, or nearest); what it lacks is 0."""
        side = image.shape[0]
        moved = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), self.angle, self.scale)
        moved[:, 2] -= np.array([self.dx, self.dy]) * side
        seen = np.ascontiguousarray(image[:, ::-1]) if self.flip else image
        how = cv2.INTER_NEAREST if sharp else cv2.INTER_CUBIC
        return np.asarray(cv2.warpAffine(seen, moved, (side, side), flags=how), np.uint8)

    @property
    def matrix(self) -> Floats:
        """[2, 2]: from the frequencies of a wave, down and right, to those that it has in the image as it is."""
        turn, flip = np.deg2rad(self.angle), -1 if self.flip else 1
        cos, sin = self.scale * np.cos(turn), self.scale * np.sin(turn)
        return np.array([[cos, sin], [-sin * flip, cos * flip]])


@dataclass(frozen=True)
class Spectrum:
    """Part of a padded spectrum [COLUMNS, PADDED], across and down: `values`, their `usual` power, and the bounded ratio."""

    values: npt.NDArray[np.complex64]
    usual: Plane
    power: Plane

    @classmethod
    def of(cls, image: Pixels) -> Spectrum:
        """Of the centre square of an image uint8 [H, W, 3]."""
        plane = torch.from_numpy(_whitened(grey(pattern_square(image))))
        across = torch.fft.rfft(plane, PADDED, dim=1)[:, :COLUMNS]
        values = torch.fft.fft(across.T.contiguous(), PADDED, dim=1).numpy()
        power = values.real**2 + values.imag**2
        usual = cv2.blur(power, (AMONG, AMONG), borderType=cv2.BORDER_REFLECT)
        usual += FLOOR**2 * usual.mean() + 1e-12
        power /= usual
        return cls(values, usual, np.minimum(power, LOUD, out=power))

    def at(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.complex128]:
        """[WAVES]: values at places over their usual strength, with phases from the centre of the image."""
        down, right = places
        mirrored = right < 0
        cells = np.abs(right), np.where(mirrored, -down, down) % PADDED
        values = self.values[cells] / np.sqrt(self.usual[cells])
        centred = np.exp(1j * np.pi * (SIDE - 1) * (down + right) / PADDED)
        found: npt.NDArray[np.complex128] = np.where(mirrored, values.conj(), values) * centred
        return found


def pattern_square(image: Pixels) -> Pixels:
    """The centre square of an image, uint8 [SIDE, SIDE, 3], in which patterns are looked for."""
    return image if image.shape[:2] == (SIDE, SIDE) else fit_square(image, SIDE, PREPARE, _resized)


def found_pose(image: Pixels, keys: Sequence[Key]) -> Pose | None:
    """Where the pattern of one of the keys lies in an image's centre square; None where none is seen."""
    return pose_in(Spectrum.of(image), keys)


def pose_in(spectrum: Spectrum, keys: Sequence[Key]) -> Pose | None:
    """The same of its spectrum."""
    best = max((_best(spectrum, key) for key in keys), key=lambda pose: pose.peak, default=Pose())
    return best if best.peak >= CLEAR else None


def _best(spectrum: Spectrum, key: Key) -> Pose:
    """The clearest pose, refined where it is clear."""
    drawn, power = waves(key), _sums(key) @ spectrum.power.ravel()
    loud = np.flatnonzero(power >= LEAST)
    likely = [_grid()[at] for at in loud[np.argsort(-power[loud], kind="stable")[:PEAKS]].tolist()]
    likely += [
        replace(each, angle={0: 180, 90: -90}[each.angle]) for each in likely if each.angle in (0, 90)
    ]  # same power
    best = max((_placed(spectrum, each, drawn) for each in likely), key=lambda pose: pose.peak, default=Pose())
    return _refined(spectrum, best, drawn) if best.peak >= CLEAR else best


@lru_cache(maxsize=1)
def _grid() -> tuple[Pose, ...]:
    """All poses that are tried, without their shifts; a half turn has the power of none."""
    turns = [Pose(flip, scale, angle) for angle in ANGLES for scale in (1.0, *SCALES) for flip in (False, True)]
    return (*turns, Pose(False, 1.0, 90.0), Pose(True, 1.0, 90.0))


@lru_cache(maxsize=1)
def _matrices() -> Floats:
    """[poses, 2, 2] of the grid."""
    return np.stack([pose.matrix for pose in _grid()])


@lru_cache(maxsize=16)
def _sums(key: Key) -> csr_array:
    """[poses, cells of a spectrum]: 1 where a wave lies, so that a product sums the power of each pose."""
    down, right = np.moveaxis(_places(_matrices(), waves(key)), 1, 0)
    cells = np.abs(right) * PADDED + np.where(right < 0, -down, down) % PADDED
    ends = np.arange(0, cells.size + 1, WAVES)
    ones = np.ones(cells.size, np.float32)
    return csr_array((ones, cells.ravel().astype(np.int32), ends), shape=(len(cells), COLUMNS * PADDED))


def _places(matrices: Floats, drawn: Waves) -> npt.NDArray[np.int64]:
    """[..., 2, WAVES]: rows and columns of the waves in the padded spectrum, of either sign; matrices [..., 2, 2]."""
    moved = matrices @ np.stack([drawn.down, drawn.right]).astype(np.float64)
    return np.rint(moved * (PADDED / SIDE)).astype(np.int64)


def _resized(image: Pixels, shape: tuple[int, int], filter: str) -> Pixels:
    """Bicubic and antialiased as Pillow does it, to a level, in a tenth of its time on processors with AVX2."""
    own = image if image.flags.writeable else image.copy()  # of which torch would warn
    pixels = torch.from_numpy(own).permute(2, 0, 1)[None]
    return F.interpolate(pixels, shape, mode="bicubic", antialias=True)[0].permute(1, 2, 0).numpy()


def _refined(spectrum: Spectrum, pose: Pose, drawn: Waves) -> Pose:
    """Better scales and angles nearby."""
    for scale, angle in STEPS:
        for _ in range(3):
            near = [replace(pose, scale=pose.scale * (1 + sign * scale)) for sign in (-1, 1)]
            near += [replace(pose, angle=pose.angle + sign * angle) for sign in (-1, 1)]
            best = max((_placed(spectrum, each, drawn) for each in near), key=lambda each: each.height)
            if best.height <= pose.height:
                break
            pose = best
    return pose


def _whitened(plane: Plane) -> Plane:
    """Texture of one strength everywhere."""
    rest = plane - cv2.blur(plane, (NEAR, NEAR))
    squares = cv2.blur(rest * rest, (AROUND, AROUND))
    found: Plane = np.clip(rest / (np.sqrt(np.maximum(squares, 0)) + QUIET), -CLIP, CLIP)  # sums of 0 may be -1e-9
    return found


def _placed(spectrum: Spectrum, pose: Pose, drawn: Waves) -> Pose:
    """The pose with the shift of the surface's peak, between pixels by a parabola."""
    centre = np.pi * (SIDE - 1) * (drawn.down + drawn.right) / SIDE
    sums = np.zeros((SIDE, SIDE // 2 + 1), np.complex64)
    sums[drawn.down % SIDE, drawn.right] = spectrum.at(_places(pose.matrix, drawn)) * np.exp(
        -1j * (drawn.phase + centre)
    )
    surface = fft.irfft2(sums, (SIDE, SIDE))
    spread = np.sqrt((np.abs(sums) ** 2).sum() * 2) / SIDE**2  # of the surface, but for waves that go straight down
    y, x = divmod(int(surface.argmax()), SIDE)
    dx, dy = _between(surface[y], x), _between(surface[:, x], y)
    height = float(surface[y, x])
    return replace(pose, dx=dx, dy=dy, height=height, peak=height / max(float(spread), 1e-12))


def _between(line: npt.NDArray[Any], at: int) -> float:
    """The place of a peak on a line that is a circle, as a share of it, of either sign."""
    before, here, after = (float(line[(at + step) % SIDE]) for step in (-1, 0, 1))
    curve = before - 2 * here + after
    place = at + (0.5 * (before - after) / curve if curve < 0 else 0.0)
    return (place - SIDE if place > SIDE / 2 else place) / SIDE
