"""Image bytes to uint8 sRGB pixels: every awkward kind is handled on purpose, everything else is a BadImage."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from evalkit.errors import BadImage
from evalkit.images.sample import Pixels

MAX_PIXELS = 178_956_970  # Pillow's own bomb limit, twice its warning: 2**31 bytes / 4 / 3
SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".avif")
)
ORIENTATION = 0x0112  # EXIF tag

Image.MAX_IMAGE_PIXELS = None  # the limit below is ours, and it is an error rather than a warning


def decode_image(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """uint8 [H, W, 3] sRGB of an image file's bytes.

    EXIF orientation is applied; palettes, grey and 1-bit images become RGB; 16-bit and float images are scaled, not
    clipped; CMYK is converted; an embedded colour profile is taken to sRGB; alpha is laid on white; of an animation the
    first frame is taken. Raises `BadImage` for empty, truncated, corrupt, unknown or oversized files.
    """
    return decode_with_source(data, max_pixels=max_pixels)[0]


def decode_with_source(data: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[Pixels, dict[str, Any]]:
    """`decode_image`, and what the file was: `format`, `mode`, `animated` (several frames or pages), and the EXIF
    `orientation` that was undone, 1 to 8.
    """
    if not data:
        raise BadImage("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
                if width * height > max_pixels:
                    raise BadImage(
                        f"{width}x{height} pixels are more than the {max_pixels} allowed (decompression bomb?)"
                    )
                picture.seek(0)
                picture.load()
                return _to_rgb(picture), _source(picture)
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage("not an image that Pillow can read (unknown or damaged header)") from None
    except Exception as error:  # decoders raise many kinds for damaged data; each costs only its own image
        reason = (str(error).splitlines() or [""])[0][:120] or type(error).__name__
        raise BadImage(f"damaged or truncated image: {reason}") from None


def _source(picture: ImageFile.ImageFile) -> dict[str, Any]:
    turned = picture.getexif().get(ORIENTATION, 1)
    return {
        "format": picture.format,
        "mode": picture.mode,
        "animated": _several(picture),
        "orientation": turned if isinstance(turned, int) and 1 <= turned <= 8 else 1,
    }


def _several(picture: ImageFile.ImageFile) -> bool:
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:  # a second frame that is damaged; the first one was read
        return True


def _to_rgb(picture: ImageFile.ImageFile | Image.Image) -> Pixels:
    upright = ImageOps.exif_transpose(picture) or picture
    profile = picture.info.get("icc_profile")
    if upright.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        upright = _to_eight_bits(upright)
    if upright.mode == "P":
        upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
    if upright.mode in ("LA", "La", "PA", "RGBa") or (
        upright.mode in ("1", "L", "RGB") and "transparency" in upright.info
    ):
        upright = upright.convert("RGBA")
    alpha = upright.getchannel("A") if upright.mode == "RGBA" else None
    if alpha is not None:
        upright = upright.convert("RGB")
    upright = _to_srgb(upright, profile)
    if upright.mode != "RGB":
        upright = upright.convert("RGB")
    if alpha is not None:
        upright = Image.composite(upright, Image.new("RGB", upright.size, (255, 255, 255)), alpha)
    return np.array(upright, dtype=np.uint8)


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit and 32-bit grey to 8 bits: integers by their range (65535), floats in [0, 1] by 255, others by their own."""
    values = np.asarray(picture).astype(np.float64)
    finite = values[np.isfinite(values)]
    high = float(finite.max()) if finite.size else 1.0
    low = min(0.0, float(finite.min())) if finite.size else 0.0
    if picture.mode == "F":
        top = 1.0 if 0 < high <= 1 else max(high, 1e-12)
    else:
        top = 255.0 if high <= 255 and picture.mode == "I" else 65535.0 if high <= 65535 else high
    scaled = np.nan_to_num((values - low) / (top - low)) * 255
    return Image.fromarray(np.floor(np.clip(scaled, 0, 255) + 0.5).astype(np.uint8))


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile or picture.mode not in ("RGB", "CMYK", "L"):
        return picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return picture
        target = ImageCms.createProfile("sRGB")
        done = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
        return done if done is not None else picture
    except (ImageCms.PyCMSError, OSError, ValueError):  # a broken profile says nothing; the pixels still do
        return picture
