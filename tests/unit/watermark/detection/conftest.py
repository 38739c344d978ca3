"""A tokenizer of blocks whose codes survive, images of codes of one's choice, and folders of every awkward kind of file."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, make_pool
from evalkit.watermark.mark import LexicalBias, Mark

SIDE, LEVELS = 8, 8  # blocks a side, and levels a channel


class Blocks(Tokenizer):
    """The mean colour of 8 x 8 blocks of 64 px images: 512 codes, kept by any lossless file."""

    name, vocab_size, native_size, multiple = "blocks", LEVELS**3, 64, 8
    weights_sha256 = "b10c"

    def __init__(self) -> None:
        self.encoded = 0

    def tokens_per_image(self, height: int, width: int) -> int:
        return height // 8 * (width // 8)

    def encode(self, images: Tensor) -> Codes:
        self.encoded += len(images)
        means = images.reshape(len(images), 3, images.shape[2] // 8, 8, images.shape[3] // 8, 8).mean((3, 5))
        levels = (means * LEVELS).long().clamp(0, LEVELS - 1)
        return Codes(indices=(levels * levels.new_tensor([64, 8, 1])[None, :, None, None]).sum(1).flatten(1))

    def decode(self, codes: Codes, *, seed: int = 0, noise: Tensor | None = None) -> Tensor:
        raise NotImplementedError


def painted(codes: np.ndarray, size: int = 64) -> np.ndarray:
    """uint8 [size, size, 3] whose blocks have these 64 codes."""
    levels = np.stack([codes // 64, codes // 8 % 8, codes % 8], -1).reshape(SIDE, SIDE, 3)
    return (levels * 32 + 16).astype(np.uint8).repeat(size // SIDE, 0).repeat(size // SIDE, 1)


def a_mark(lists: int = 4, key: bytes = bytes(range(32)), kind: str = "balanced") -> LexicalBias:
    key_, identity = Key(key), tokenizer_identity(Blocks())
    return LexicalBias(make_pool(key_, identity, 512, Scheme(0.5, lists, kind)), key_, identity)


def plain(seed: int, size: int = 64) -> np.ndarray:
    return painted(np.random.default_rng([1, seed]).integers(0, 512, 64), size)


def marked(mark: Mark, seed: int, size: int = 64) -> np.ndarray:
    green = np.flatnonzero(mark.green_codes(mark.list_of(seed)))
    return painted(np.random.default_rng([2, seed]).choice(green, 64, replace=False), size)


def saved(pixels: np.ndarray, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
        + chunk(b"IEND", b"")
    )


def awkward(mark: Mark, i: int) -> list[tuple[str, bytes, str]]:
    """(name, bytes, right verdict) of one file of every kind."""
    one, other, green = plain(i), plain(i + 100_000), marked(mark, i)
    clear = Image.fromarray(green)
    clear.putalpha(255)
    grey16 = (np.arange(4096).reshape(64, 64) * 16).astype(np.uint16)
    frames = [Image.fromarray(other)]
    return [
        ("marked.png", saved(green), "detected"),
        ("copy of marked.png", saved(green), "detected"),
        ("plain.png", saved(one), "not detected"),
        ("plain.bmp", saved(other, "BMP"), "not detected"),
        ("truncated.png", saved(one)[:200], "error"),
        ("truncated.jpg", saved(one, "JPEG")[:300], "error"),
        ("empty.png", b"", "error"),
        ("words.png", b"this is no image", "error"),
        ("png named.jpg", saved(green), "detected"),
        ("animated.gif", saved(one, "GIF", save_all=True, append_images=frames), "not detected"),
        ("pages.tif", saved(green, "TIFF", save_all=True, append_images=frames), "detected"),
        ("animated.webp", saved(green, "WEBP", lossless=True, save_all=True, append_images=frames), "detected"),
        ("print.jpg", saved(Image.fromarray(one).convert("CMYK"), "JPEG"), "not detected"),
        ("grey16.png", saved(grey16), "inconclusive"),
        ("alpha.png", saved(clear), "detected"),
        ("see through.png", saved(np.dstack([green, np.zeros((64, 64), np.uint8)])), "inconclusive"),
        ("one.png", saved(one[:1, :1]), "inconclusive"),
        ("constant.png", saved(np.full((64, 64, 3), 7 * i % 256, np.uint8)), "inconclusive"),
        ("large.png", saved(marked(mark, i, 512)), "detected"),
        ("long.png", saved(np.tile(green, (1, 5, 1))), "detected"),
        ("huge.png", bomb(), "error"),
    ]


def awkward_folder(path: Path, mark: Mark, count: int) -> dict[str, str]:
    """Make `count` files below `path`, and links that lead nowhere and in circles; the right verdict of each row's id."""
    right: dict[str, str] = {}
    path.mkdir(parents=True)
    left, i = count, 0
    while left > 0:
        folder = f"{i:03d}"
        (path / folder).mkdir()
        for name, data, verdict in awkward(mark, i)[:left]:
            (path / folder / name).write_bytes(data)
            right[f"{folder}/{name}"] = verdict
        left, i = count - len(right), i + 1
    (path / "loop").symlink_to(path)
    (path / "000" / "again").symlink_to(path / "000")
    (path / "broken.png").symlink_to(path / "nowhere.png")
    right["broken.png"] = "error"
    hostile = {
        "=HYPERLINK(1).png": plain(-1 % 2**32),
        "<script>alert(1)<b>.png": plain(-2 % 2**32),
        "two\nlines,and a comma.png": plain(-3 % 2**32),
    }
    for name, pixels in hostile.items():
        (path / name).write_bytes(saved(pixels))
        right[name] = "not detected"
    with open(os.fsencode(path) + b"/caf\xe9.png", "wb") as stream:
        stream.write(saved(plain(5_000_000)))
    right["caf\\xe9.png"] = "not detected"
    return right


@pytest.fixture
def toy() -> SimpleNamespace:
    """All of the above, for tests in files of their own."""
    return SimpleNamespace(
        Blocks=Blocks,
        painted=painted,
        mark=a_mark,
        plain=plain,
        marked=marked,
        saved=saved,
        awkward_folder=awkward_folder,
    )
