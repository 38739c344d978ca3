"""Attacks by image files: JPEG, WebP and AVIF at a quality, and the controls that must change nothing."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, features

from evalkit.errors import EvalkitError
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.watermark.attacks.base import KEPT, Attack, File, checked
from evalkit.watermark.attacks.spelling import Options, Parameter, pixels, register

QUALITY = Parameter("quality", "whole", 1, 100)
SUBSAMPLING = Parameter("subsampling", "word", default="420", choices=("420", "422", "444"))


@dataclass(frozen=True)
class CodecAttack(Attack):
    """Written as `codec` by Pillow and read again; its files are those bytes."""

    name: str
    parameters: Mapping[str, Any]
    codec: str
    size: str = KEPT
    network: bool = False
    packages: tuple[str, ...] = ("numpy", "pillow")

    def apply(self, image: Pixels, seed: int = 0) -> Pixels:
        """What a reader of the file sees."""
        return read_file(self._bytes(image))

    def files(self, images: Sequence[Pixels], seeds: Sequence[int]) -> list[File]:
        """The codec's own bytes."""
        suffix = {"jpeg": ".jpg"}.get(self.codec, f".{self.codec}")
        return [File(self._bytes(image), suffix) for image in images]

    def _bytes(self, image: Pixels) -> bytes:
        settings = {key: value for key, value in self.parameters.items() if key != "subsampling"}
        if self.codec == "jpeg":
            settings["subsampling"] = ("444", "422", "420").index(str(self.parameters["subsampling"]))
        buffer = io.BytesIO()
        try:
            Image.fromarray(checked(image)).save(buffer, format=self.codec.upper(), **settings)
        except (OSError, ValueError) as error:
            raise EvalkitError(f"{self.name} cannot write this image ({error}). Leave this attack out") from None
        return buffer.getvalue()


def read_file(data: bytes) -> Pixels:
    """The pixels of an image file that was just written."""
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"), dtype=np.uint8)


@register("jpeg", QUALITY, SUBSAMPLING, about="JPEG by Pillow, chroma halved (4:2:0) unless told otherwise")
def jpeg(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """JPEG."""
    return CodecAttack(name, values, "jpeg")


@register("webp", QUALITY, about="lossy WebP by Pillow")
def webp(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """WebP."""
    return CodecAttack(name, values, _there("webp", name))


@register("avif", QUALITY, about="AVIF by Pillow")
def avif(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """AVIF, where Pillow was built with it."""
    return CodecAttack(name, {**values, "max_threads": 1}, _there("avif", name))


def _there(codec: str, name: str) -> str:
    if not features.check(codec):
        raise EvalkitError(f"{name}: this Pillow was built without {codec}; type: pip install --upgrade pillow")
    return codec


@pixels("png", about="control: written as PNG and read again; changes nothing")
def png(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Lossless."""
    return read_file(png_bytes(image))


@pixels("8bit", about="control: to float32 on [0, 1] and rounded back; changes nothing")
def eight_bit(image: Pixels, rng: np.random.Generator) -> Pixels:
    """The way of an image through a network's input and output, without the network."""
    unit = image.astype(np.float32) / np.float32(255)
    rounded: Pixels = np.floor(unit * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return rounded
