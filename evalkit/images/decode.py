"""Image bytes to uint8 sRGB pixels: every awkward kind is handled on purpose, everything else is a BadImage."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from evalkit.errors import BadImage
from evalkit.images.colour import Tag, by_profile, by_tag, png_tag
from evalkit.images.cost import check_cost, most_pixels
from evalkit.images.depth import DEEP_MODES, Scale, scale_of, to_sixteen_bits
from evalkit.images.kinds import HEAD, HEIC, PNG, Kind, kind_of_bytes
from evalkit.images.png_chunks import colour_chunks, without_long_texts
from evalkit.images.png_clear import Clear, clear_colour, clear_places
from evalkit.images.sample import Admit, Pixels
from evalkit.images.strips import Decoded
from evalkit.images.tiff import stored_values

ORIENTATION = 0x0112  # EXIF tag

Image.MAX_IMAGE_PIXELS = None  # the limit above is ours, and it is an error rather than a warning
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**26  # bytes of a profile or of EXIF, unpacked

_UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {  # by EXIF orientation
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[::-1].transpose(1, 0, 2),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a[:, ::-1].transpose(1, 0, 2),
}
_BACK = {6: 8, 8: 6}  # what undoes a turn; a reflection undoes itself


def decode_image(data: bytes, *, max_pixels: int | None = None) -> Pixels:
    """uint8 [H, W, 3] sRGB of an image file's bytes.

    EXIF orientation is applied; palettes, grey and 1-bit images become RGB; 16-bit and float images are scaled, not
    clipped (`depth`); CMYK is converted; colours are taken to sRGB (`colour`); alpha is laid on white; of an animation
    the first frame is taken. An image may have `max_pixels`, by default those of EVALKIT_MAX_PIXELS or 8192 times 8192.
    Raises `BadImage` for empty, truncated, corrupt, unknown or oversized files (`cost`).
    """
    return decode_with_source(data, max_pixels=max_pixels)[0]


def decode_with_source(
    data: bytes, *, max_pixels: int | None = None, admit: Admit = lambda pixels: None
) -> tuple[Pixels, dict[str, Any]]:
    """`decode_image`, and what the file was: `format`, `mode`, `animated` (several frames or pages), and the EXIF
    `orientation` that was undone, 1 to 8. `admit` is told the number of pixels before they are decoded, and may wait.
    """
    if not data:
        raise BadImage("the file is empty")
    most = max_pixels or most_pixels()
    kind = _readable(data)
    if kind is PNG:
        data = without_long_texts(data)
    chunks = colour_chunks(data) if kind is PNG else {}
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(stream, formats=(kind.pillow or "",)) as image:
                check_cost(image, kind, data, stream.tell(), most)
                admit(image.width * image.height)
                clear = clear_places(data, chunks) if kind is PNG else None
                decoded = Decoded(image, kind, data)
                source = _source(image)
                if not source["animated"]:  # whose decoders look at the file again
                    stream.close()
                del data  # the file is not held beside two copies of its pixels, where the caller has let go of it
                return _to_rgb(decoded, int(source["orientation"]), chunks, clear), source
    except (BadImage, MemoryError):
        raise
    except UnidentifiedImageError:
        raise BadImage(f"damaged or truncated image: the header of the {kind.name} file cannot be read") from None
    except Exception as error:  # decoders raise many kinds for damaged data; each costs only its own image
        reason = (str(error).splitlines() or [""])[0][:120] or type(error).__name__
        raise BadImage(f"damaged or truncated image: {reason}") from None


def size_of(data: bytes) -> tuple[int, int] | None:
    """(height, width) by a file's header, before it is turned upright; None where it cannot be read. Decodes nothing."""
    try:
        with Image.open(io.BytesIO(data), formats=(_readable(data).pillow or "",)) as image:
            return image.height, image.width
    except Exception:  # as above; decoding it says why
        return None


def _readable(data: bytes) -> Kind:
    """The kind of the file, which alone is tried: a name or a foreign header starts no other decoder."""
    kind = kind_of_bytes(data[:HEAD])
    if kind is None:
        raise BadImage("not an image of a kind that is read (unknown or damaged header)")
    if kind.pillow is None:
        raise BadImage(f"{kind.name} files are not read; convert the file to PNG")
    if kind is HEIC:
        _add_heic()
    return kind


def _add_heic() -> None:
    if importlib.util.find_spec("pillow_heif") is None:
        raise BadImage("HEIC files need a further package; type: pip install 'evalkit-ar[heic]'")
    import pillow_heif

    pillow_heif.register_heif_opener()


def _source(image: ImageFile.ImageFile) -> dict[str, Any]:
    return {
        "format": image.format,
        "mode": image.mode,
        "animated": _several(image),
        "orientation": _orientation(image),
    }


def _orientation(image: ImageFile.ImageFile) -> int:
    try:
        turned = image.getexif().get(ORIENTATION, 1)
    except Exception:  # EXIF that is damaged says nothing; the pixels were read
        return 1
    return turned if isinstance(turned, int) and 1 <= turned <= 8 else 1


def _several(image: ImageFile.ImageFile) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # a second frame that is damaged; the first one was read
        return True


def _to_rgb(decoded: Decoded, orientation: int, chunks: dict[bytes, bytes], clear: Clear | None) -> Pixels:
    """Alpha apart, colours to sRGB, alpha on white, upright; in strips, because each step is a copy."""
    image = decoded.opened
    profile = image.info.get("icc_profile")
    tag = png_tag(chunks, profile=bool(profile))
    profile = None if tag else profile
    deep = image.mode in DEEP_MODES
    tags = getattr(image, "tag_v2", None)
    scale = scale_of((stored_values(np.asarray(each), tags) for each in decoded.strips()), tags) if deep else None
    turned = (image.width, image.height) if orientation > 4 else (image.height, image.width)
    upright = decoded.room() if orientation == 1 else np.empty((*turned, 3), np.uint8)
    pixels = _UPRIGHT[_BACK.get(orientation, orientation)](upright)  # a view as the file has them
    top = 0
    for strip in decoded.strips():
        shown, alpha = _plain(strip, chunks) if scale is None else _deep(strip, scale, tags)
        shown = _coloured(shown, profile, tag)
        if clear is not None:
            alpha = Image.fromarray(np.where(clear[top : top + strip.height], 0, 255).astype(np.uint8))
        if alpha is not None:
            shown = Image.composite(shown, Image.new("RGB", shown.size, (255, 255, 255)), alpha)
        pixels[top : top + strip.height] = np.asarray(shown)
        top += strip.height
    decoded.finish()
    return upright


def _deep(image: Image.Image, scale: Scale, tags: Any) -> tuple[Image.Image, Image.Image | None]:
    """Grey of 16 bits as mode I;16, and where it is not transparent (PNG's tRNS)."""
    values = stored_values(np.asarray(image), tags)
    clear = image.info.get("transparency")
    alpha = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)) if isinstance(clear, int) else None
    return Image.fromarray(to_sixteen_bits(values, scale)), alpha


def _plain(image: Image.Image, chunks: dict[bytes, bytes]) -> tuple[Image.Image, Image.Image | None]:
    """Colour channels of 8 bits as L, RGB, CMYK or LAB, and alpha."""
    clear = clear_colour(image.info.get("transparency"), chunks)
    if clear != image.info.get("transparency"):
        image = image.copy()
        image.info["transparency"] = clear
    if image.mode == "1":
        image = image.convert("RGBA" if clear is not None else "L")
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if clear is not None or image.mode == "PA" else "RGB")
    if image.mode in ("La", "RGBa"):
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.mode in ("L", "RGB") and clear is not None:
        image = image.convert("RGBA")
    if image.mode == "LA":
        return image.getchannel("L"), image.getchannel("A")
    if image.mode == "RGBA":
        return image.convert("RGB"), image.getchannel("A")
    return (image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("RGB")), None


def _coloured(image: Image.Image, profile: bytes | None, tag: Tag | None) -> Image.Image:
    """The RGB image in sRGB."""
    if tag is not None:
        samples = image if image.mode in ("RGB", "I;16") else image.convert("RGB")
        return Image.fromarray(by_tag(np.asarray(samples), tag))
    if image.mode == "LAB" or profile:
        image = by_profile(image, profile or _lab_profile())
    if image.mode == "I;16":
        levels = np.floor(np.arange(65536) / 257 + 0.5).astype(np.uint8)
        image = Image.fromarray(levels[np.asarray(image)])
    return image if image.mode == "RGB" else image.convert("RGB")


def _lab_profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
