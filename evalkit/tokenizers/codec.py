"""Image codecs as tokenizers: JPEG-LM's canonical bytes (arXiv:2408.08459; xhan77/jpeg-lm), plain JPEG and WebP."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Codes, PixelTokenizer
from evalkit.tokenizers.registry import Entry, register

if TYPE_CHECKING:
    from torch import Tensor

    from evalkit.tokenizers.batch import Batch

PADDING = -1
BRAILLE = 0x2800  # a byte b is written as chr(10240 + b), so that a text tokenizer can merge bytes


@dataclass(frozen=True)
class CodecConfig:
    """Format and quality; `canonical` is JPEG-LM's form: scan only, a restart marker after every 16 x 16 block."""

    format: Literal["JPEG", "WEBP"]
    quality: int
    canonical: bool = False


@register("jpeg-lm", config=CodecConfig("JPEG", 25, canonical=True))
class Codec(PixelTokenizer):
    """The bytes of a compressed file as codes (vocabulary 256), padded with -1 to the longest of the batch.

    `jpeg-lm` leaves the tables out of the codes, since they are the same for every image.
    """

    vocab_size = 256

    def __init__(self, name: str, config: CodecConfig) -> None:
        self.name, self.config = name, config
        if config.canonical:
            self.multiple = 16

    def tokens_per_image(self, height: int, width: int) -> None:
        """A codec's number of codes depends on the image."""

    def bits_per_code(self) -> float:
        """A code is a byte."""
        return 8.0

    def encode(self, images: Batch) -> Codes:
        """Codes int64 [B, longest] of images [B, 3, H, W] in [0, 1], rounded to 8 bits first."""
        import torch  # in both methods, so that a run of a codec does without it

        from evalkit.tokenizers.batch import as_batch

        given = as_batch(images)
        self.check_size(int(given.shape[2]), int(given.shape[3]))
        grey = given.float().clamp(0, 1).mul(255).add(0.5).floor().to(torch.uint8)
        streams = [self.to_bytes(each) for each in grey.permute(0, 2, 3, 1).cpu().numpy()]
        indices = torch.full((len(streams), max(map(len, streams))), PADDING)
        for row, stream in enumerate(streams):
            indices[row, : len(stream)] = torch.from_numpy(np.frombuffer(stream, np.uint8).astype(np.int64))
        return Codes(indices=indices)

    def decode(self, codes: Codes, *, seed: int = 0, noise: Tensor | None = None) -> Tensor:
        """Images [B, 3, H, W]; bytes that are no image raise `EvalkitError` with the row's number."""
        import torch

        images = []
        for number, row in enumerate(codes.values.cpu().numpy()):
            values = row[row != PADDING]
            try:
                images.append(self.to_image(bytes(values.tolist())))  # a code outside 0..255 is a ValueError
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                raise EvalkitError(
                    f"the codes of image {number} are no {self.config.format} image ({error}). Give codes that encode made"
                ) from None
        if len({each.shape for each in images}) > 1:
            raise EvalkitError("the images of this batch differ in size; decode them one by one")
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        return batch.float() / 255

    def to_bytes(self, image: Pixels) -> bytes:
        """The file of a uint8 [H, W, 3] image, or JPEG-LM's part of it."""
        buffer = io.BytesIO()
        opened = Image.fromarray(image)
        if self.config.canonical:
            _save_canonical(opened, buffer, self.config.quality, streamtype=2)
        else:
            opened.save(buffer, format=self.config.format, quality=self.config.quality)
        return buffer.getvalue()

    def to_image(self, stream: bytes) -> Pixels:
        """The image of such a file."""
        if self.config.canonical:
            stream = with_tables(stream, self.config.quality)
        with Image.open(io.BytesIO(stream), formats=[self.config.format]) as opened:
            return np.array(opened.convert("RGB"), dtype=np.uint8)


def _save_canonical(opened: Image.Image, buffer: io.BytesIO, quality: int, *, streamtype: int) -> None:
    opened.save(
        buffer, format="JPEG", quality=quality, subsampling="4:2:0", restart_marker_blocks=1, streamtype=streamtype
    )


@functools.cache
def jpeg_tables(quality: int) -> bytes:
    """The tables-only file of JPEG-LM's settings, the same for every image."""
    buffer = io.BytesIO()
    _save_canonical(Image.new("RGB", (256, 256)), buffer, quality, streamtype=1)
    return buffer.getvalue()


def with_tables(scan: bytes, quality: int = 25) -> bytes:
    """A whole JPEG file from the scan that JPEG-LM models: start marker, tables, rest."""
    return scan[:2] + jpeg_tables(quality)[2:-2] + scan[2:]


def to_text(stream: bytes) -> str:
    """Bytes as the characters that JPEG-LM's text tokenizer reads (Braille block).

    >>> from_text(to_text(b"\\xff\\xd8")) == b"\\xff\\xd8"
    True
    """
    return "".join(chr(BRAILLE + byte) for byte in stream)


def from_text(text: str) -> bytes:
    """The bytes of JPEG-LM text; other characters are dropped, as after generation."""
    return bytes(ord(c) - BRAILLE for c in text if BRAILLE <= ord(c) < BRAILLE + 256)


def cut_at_restart(stream: bytes, cycles: int) -> bytes:
    """The prefix of a scan up to and with its `cycles`-th FFD7 marker: JPEG-LM's prompts, 8 blocks a cycle."""
    at = -2
    for _ in range(cycles):
        at = stream.find(b"\xff\xd7", at + 2)
        if at < 0:
            return stream
    return stream[: at + 2]


def at_quality(name: str, number: str) -> Entry:
    """The entry of `jpeg-qN` or `webp-qN`; raises `EvalkitError` for a quality outside 1 to 100."""
    kind: Literal["JPEG", "WEBP"] = "JPEG" if name.startswith("jpeg") else "WEBP"
    quality = int(number)
    if not 1 <= quality <= 100:
        raise EvalkitError(f"{name}: quality goes from 1 to 100; type, for example, {name.partition('-')[0]}-q75")
    return Entry(name, Codec, CodecConfig(kind, quality), None)
