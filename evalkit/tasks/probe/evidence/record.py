"""The evidence of one image, and the facts of a file of evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evalkit.encoders.answers import Answer
from evalkit.encoders.base import OcrText
from evalkit.encoders.detectors.detection import Boxes
from evalkit.images.sample import Pixels
from evalkit.judges.reply import Reply

VERSION = 1


@dataclass(frozen=True, slots=True)
class AskedReply:
    """A judge's reply to the `question` of this name, and the `judge` that gave it."""

    question: str
    reply: Reply
    judge: str = ""


@dataclass(frozen=True, slots=True)
class ImageEvidence:
    """What was seen in one image. None: nobody looked for it; empty: it was looked for, and nothing was found.

    `prompt`: the prompt's id. `measures`: what networks measured of it, by name. `embedding`: in base64, where images of
    one prompt are compared. `options`: of the rules, where a line of the short form holds its own.
    """

    image: str
    prompt: str
    sample: int = 0
    size: tuple[int, int] | None = None
    sha256: str | None = None
    boxes: Boxes | None = None
    text: OcrText | None = None
    answers: tuple[Answer, ...] | None = None
    replies: tuple[AskedReply, ...] | None = None
    measures: Mapping[str, float] | None = None
    embedding: str | None = None
    options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """All images of a file in their order, and its facts: which suite, which encoders, which judge."""

    images: tuple[ImageEvidence, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def floor(self) -> float:
        """The score below which the detector reported nothing; 0 where it is not said."""
        boxes = self.facts.get("boxes")
        value = boxes.get("floor") if isinstance(boxes, Mapping) else None
        return float(value) if isinstance(value, int | float) else 0.0


def prompt_id(place: int) -> str:
    """The id of the prompt at a place of a suite.

    >>> prompt_id(7)
    '00007'
    """
    return f"{place:05d}"


def pixels_sha256(image: Pixels) -> str:
    """Hex digest of an image's pixels in rows, whatever file they came from."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
