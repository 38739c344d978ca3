"""Colours to sRGB: by an ICC profile's curves, or by what a PNG says of its samples.

A PNG's colour is decided in the order of its specification (third edition, 4.3): cICP, iCCP, sRGB, gAMA with cHRM. Code
points are those of ITU-T H.273. A gAMA of 1/2.2 stands for sRGB, as the specification tells writers of sRGB to write it.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Floats = npt.NDArray[np.float64]
EXACT = ImageCms.Flags.NOOPTIMIZE  # of small tables; without it dark greys are up to 10 levels off
Chromaticities = tuple[tuple[float, float], ...]
SRGB: Chromaticities = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290))  # red, green, blue, white
PRIMARIES: dict[int, Chromaticities] = {  # by code point
    1: SRGB,
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), (0.3127, 0.3290)),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), (0.3127, 0.3290)),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), (0.3127, 0.3290)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290)),
}
REFERENCE_WHITE = 203.0  # cd/m2 of a PQ sample that becomes white (ITU-R BT.2408)


def _srgb_to_linear(v: Floats) -> Floats:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _linear_to_srgb(v: Floats) -> Floats:
    return np.where(v <= 0.0031308, 12.92 * v, 1.055 * np.maximum(v, 0.0) ** (1 / 2.4) - 0.055)


def _pq_to_linear(v: Floats) -> Floats:
    """SMPTE ST 2084, with the reference white at 1."""
    power = v ** (1 / 78.84375)
    return (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125) * (
        10000 / REFERENCE_WHITE
    )


def _hlg_to_linear(v: Floats) -> Floats:
    """ARIB STD-B67, scene light, with the reference white (75 % of the signal) at 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(v <= 0.5, v * v / 3, (np.exp((v - c) / a) + b) / 12) / 0.26496256


def _power(exponent: float) -> Callable[[Floats], Floats]:
    return lambda v: v**exponent


_CURVES: dict[int, Callable[[Floats], Floats]] = {
    1: _srgb_to_linear,  # BT.709 samples are shown as sRGB, as browsers do
    4: _power(2.2),
    5: _power(2.8),
    6: _srgb_to_linear,
    8: _power(1.0),
    13: _srgb_to_linear,
    14: _srgb_to_linear,
    15: _srgb_to_linear,
    16: _pq_to_linear,
    18: _hlg_to_linear,
}


@dataclass(frozen=True)
class Tag:
    """How a PNG's samples become linear light: `curve`, then from `primaries`; `narrow`: black is 16, white is 235."""

    curve: Callable[[Floats], Floats]
    primaries: Chromaticities = SRGB
    narrow: bool = False


def png_tag(chunks: Mapping[bytes, bytes], profile: bool) -> Tag | None:
    """What the chunks ask for beside sRGB; None where they ask for nothing, or the ICC `profile` goes first."""
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) == 4 and cicp[0] in PRIMARIES and cicp[1] in _CURVES and cicp[2] == 0:
        curve, primaries, narrow = _CURVES[cicp[1]], PRIMARIES[cicp[0]], cicp[3] == 0
        return None if curve is _srgb_to_linear and primaries == SRGB and not narrow else Tag(curve, primaries, narrow)
    gamma = chunks.get(b"gAMA", b"")
    if profile or b"sRGB" in chunks or len(gamma) != 4:
        return None
    (hundred_thousandths,) = struct.unpack(">I", gamma)
    if not 1000 <= hundred_thousandths <= 10_000_000:
        return None
    plain = abs(hundred_thousandths - 45455) <= 500
    primaries = _chromaticities(chunks.get(b"cHRM", b"")) or SRGB
    if plain and primaries == SRGB:
        return None
    return Tag(_srgb_to_linear if plain else _power(100_000 / hundred_thousandths), primaries)


def by_tag(pixels: npt.NDArray[Any], tag: Tag) -> npt.NDArray[np.uint8]:
    """uint8 sRGB [..., 3] of samples uint8 [..., 3], or uint16 [H, W] of grey."""
    top = 255 if pixels.dtype == np.uint8 else 65535
    levels = np.arange(top + 1) / top
    if tag.narrow:
        levels = np.clip((levels * 255 - 16) / 219, 0, 1)
    linear = np.clip(tag.curve(levels), 0.0, None)
    if tag.primaries == SRGB or pixels.ndim == 2:
        grey: npt.NDArray[np.uint8] = _eight_bits(_linear_to_srgb(linear))[pixels]
        return grey if grey.ndim == 3 else np.repeat(grey[..., None], 3, -1)
    matrix = np.linalg.inv(_to_xyz(SRGB)) @ _to_xyz(tag.primaries)
    found = np.empty(pixels.shape, np.uint8)
    rows = max(1, 2**18 // max(1, pixels.shape[1]))
    for start in range(0, len(pixels), rows):
        found[start : start + rows] = _eight_bits(_linear_to_srgb(linear[pixels[start : start + rows]] @ matrix.T))
    return found


def by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """The RGB image of an L, I;16, RGB, CMYK or LAB one with an ICC profile; untouched where the profile says nothing.

    A profile that is broken, or of another colour space, says nothing; an RGB profile on a grey image counts.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = str(source.profile.xcolor_space).strip()
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if space != {"L": "GRAY", "I;16": "GRAY", "LAB": "Lab"}.get(image.mode, image.mode):
            return image
        if image.mode == "RGB" and _is_srgb(profile):
            return image
        if image.mode in ("L", "I;16"):
            return _grey_by_table(image, source)
        transform = _transform(source, image.mode)
        return ImageCms.applyTransform(image, transform) or image
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image


def _grey_by_table(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    """Every level once through the exact transform, then a look-up."""
    deep = image.mode == "I;16"
    levels = np.arange(65536, dtype=np.uint16)[None] if deep else np.arange(256, dtype=np.uint8)[None]
    shown = ImageCms.applyTransform(Image.fromarray(levels), _transform(source, image.mode, EXACT))
    table = np.asarray(shown, np.uint8)[0]
    return Image.fromarray(table[np.asarray(image)])


def _transform(source: Any, mode: str, flags: ImageCms.Flags = ImageCms.Flags.NONE) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)


@functools.lru_cache(maxsize=64)
def _is_srgb(profile: bytes) -> bool:
    """Whether no colour of a grid moves by more than one level: the name of a profile proves nothing."""
    side = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(side, side, side, indexing="ij"), -1).reshape(27, 27, 3)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    shown = ImageCms.applyTransform(Image.fromarray(grid), _transform(source, "RGB", EXACT))
    return shown is not None and int(np.abs(np.asarray(shown).astype(int) - grid).max()) <= 1


def _eight_bits(v: Floats) -> npt.NDArray[np.uint8]:
    return np.floor(np.clip(v, 0, 1) * 255 + 0.5).astype(np.uint8)


def _chromaticities(body: bytes) -> Chromaticities | None:
    """cHRM as red, green, blue, white; None where it is absent, cannot be inverted, or is that of sRGB."""
    if len(body) != 32:
        return None
    wx, wy, rx, ry, gx, gy, bx, by = (value / 100_000 for value in struct.unpack(">8I", body))
    given = ((rx, ry), (gx, gy), (bx, by), (wx, wy))
    if max(abs(a - b) for x, y in zip(given, SRGB, strict=True) for a, b in zip(x, y, strict=True)) <= 0.002:
        return None
    if min(y for _, y in given) <= 0 or not np.isfinite(np.linalg.cond(_to_xyz(given))):
        return None
    return given if np.linalg.cond(_to_xyz(given)) < 1e4 else None


def _to_xyz(chromaticities: Chromaticities) -> Floats:
    """[3, 3] from linear RGB to XYZ, white at luminance 1."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in chromaticities]).T
    primaries, white = columns[:, :3], columns[:, 3]
    scale: Floats = np.linalg.lstsq(primaries, white, rcond=None)[0]
    return primaries * scale
