"""What kind of file some bytes are: the one table of image formats, their names, media types and suffixes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

HEAD = 64  # bytes that tell a kind


@dataclass(frozen=True)
class Kind:
    """A file format. `pillow`: the plugin that reads it, none where evalkit does not. `mime`: its media type.

    `manifest`: whether C2PA manifests are written into it. `browser`: whether a browser shows it. `photo`: a file of
    it is an image that somebody meant to be read, so it is a failed sample rather than a skipped file.
    """

    name: str
    suffixes: tuple[str, ...]
    mime: str = ""
    pillow: str | None = None
    manifest: bool = False
    browser: bool = False
    photo: bool = False


PNG = Kind("PNG", (".png", ".apng"), "image/png", "PNG", True, True, True)
JPEG = Kind("JPEG", (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo"), "image/jpeg", "JPEG", True, True, True)
WEBP = Kind("WebP", (".webp",), "image/webp", "WEBP", True, True, True)
GIF = Kind("GIF", (".gif",), "image/gif", "GIF", True, True, True)
BMP = Kind("BMP", (".bmp", ".dib"), "image/bmp", "BMP", False, True, True)
TIFF = Kind("TIFF", (".tif", ".tiff"), "image/tiff", "TIFF", True, False, True)
PNM = Kind("PNM", (".ppm", ".pgm", ".pbm", ".pnm"), "image/x-portable-anymap", "PPM", False, False, True)
AVIF = Kind("AVIF", (".avif", ".avifs"), "image/avif", "AVIF", True, True, True)
HEIC = Kind("HEIC", (".heic", ".heif", ".hif"), "image/heic", "HEIF", True, False, True)
JXL = Kind("JPEG XL", (".jxl",), "image/jxl", photo=True)
OTHERS = (
    Kind("JPEG 2000", (".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"), "image/jp2"),
    Kind("Photoshop", (".psd", ".psb")),
    Kind("camera raw", (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".srw", ".pef")),
    Kind("SVG", (".svg", ".svgz"), "image/svg+xml"),
    Kind("EPS", (".eps", ".ps")),
    Kind("PDF", (".pdf",)),
    Kind("TGA", (".tga",)),
    Kind("OpenEXR", (".exr",)),
    Kind("Radiance HDR", (".hdr",)),
    Kind("PFM", (".pfm",)),
    Kind("ICO", (".ico", ".cur")),
    Kind("QOI", (".qoi",)),
    Kind("DDS", (".dds",)),
    Kind("PCX", (".pcx",)),
    Kind("video", (".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v")),
)
READ = (PNG, JPEG, WEBP, GIF, BMP, TIFF, PNM, AVIF, HEIC)
KINDS = (*READ, JXL, *OTHERS)
SUFFIXES = frozenset(suffix for kind in (*READ, JXL) for suffix in kind.suffixes)  # of what is listed as an image
BROWSER_SUFFIXES = tuple(suffix for kind in READ if kind.browser for suffix in kind.suffixes)

_BY_NAME = {kind.name: kind for kind in KINDS}
_BY_SUFFIX = {suffix: kind for kind in KINDS for suffix in kind.suffixes}
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\xff\x0a", JXL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JXL),
    (b"\0\0\0\x0cjP  \r\n\x87\n", _BY_NAME["JPEG 2000"]),
    (b"\xff\x4f\xff\x51", _BY_NAME["JPEG 2000"]),
    (b"8BPS", _BY_NAME["Photoshop"]),
    (b"%!PS", _BY_NAME["EPS"]),
    (b"\xc5\xd0\xd3\xc6", _BY_NAME["EPS"]),
    (b"%PDF-", _BY_NAME["PDF"]),
    (b"<svg", _BY_NAME["SVG"]),
    (b"v/1\x01", _BY_NAME["OpenEXR"]),
    (b"#?RADIANCE", _BY_NAME["Radiance HDR"]),
    (b"PF\n", _BY_NAME["PFM"]),
    (b"Pf\n", _BY_NAME["PFM"]),
    (b"\0\0\x01\0", _BY_NAME["ICO"]),
    (b"qoif", _BY_NAME["QOI"]),
    (b"DDS ", _BY_NAME["DDS"]),
    (b"FUJIFILMCCD-RAW", _BY_NAME["camera raw"]),
    (b"\x1aE\xdf\xa3", _BY_NAME["video"]),
)
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes of the second header, by its version
_PNM_START = rb"P[1-6](?:\s|#[^\n]*\n)+(?:[0-9]|#|$)"
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_VIDEO_BRANDS = frozenset((b"isom", b"iso2", b"mp41", b"mp42", b"avc1", b"qt  ", b"M4V "))


def kind_of_bytes(head: bytes) -> Kind | None:
    """The kind that a file's first `HEAD` bytes show, None where they show none that is known here."""
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    if re.match(_PNM_START, head):
        return PNM
    return _of_brands(head) if head[4:8] == b"ftyp" else None


def kind_of_name(name: str | Path) -> Kind | None:
    """The kind that a file's suffix promises."""
    return _BY_SUFFIX.get(os.path.splitext(os.fspath(name))[1].lower())


def kind_of_file(path: str | Path) -> Kind | None:
    """The kind of a file by its first bytes, or by its suffix where those show none. Raises `OSError`."""
    with open(path, "rb") as stream:
        return kind_of_bytes(stream.read(HEAD)) or kind_of_name(path)


def _of_brands(head: bytes) -> Kind | None:
    """ISO base media files: the major brand decides, and AVIF among the compatible ones where it is general."""
    major, compatible = head[8:12], [head[i : i + 4] for i in range(16, min(len(head), HEAD) - 3, 4)]
    if major in (b"avif", b"avis"):
        return AVIF
    if major in _HEIF_BRANDS:
        general = major in (b"mif1", b"msf1")
        return AVIF if general and (b"avif" in compatible or b"avis" in compatible) else HEIC
    if major == b"crx ":
        return _BY_NAME["camera raw"]
    return _BY_NAME["video"] if major in _VIDEO_BRANDS else None
