"""Features of images that were looked at before, by the content of the image's source: it need not be read again.

They are evidence like any other, in a file of their own (features.sqlite), whose first key is the fingerprint of the
source instead of the sha256 of the pixels. What is damaged there is taken again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import PIL
import torch

from evalkit.encoders.base import Vector
from evalkit.encoders.evidence import EvidenceCache
from evalkit.encoders.evidence_objects import Key
from evalkit.errors import DAMAGED, EvalkitError
from evalkit.images.sample import MISSING
from evalkit.jsonio import loose_json
from evalkit.weights.download import kept_folder

FILE = "features.sqlite"
DIGITS = 16  # hexadecimal digits of a piece's own digest


@dataclass(frozen=True)
class Identity:
    """What decides the features of a network beside the image: itself, its weights, and the way to its input."""

    encoder: str
    weights: str
    preprocessing: str

    def key(self, fingerprint: str, head: str, device: str) -> Key:
        """The four keys of an image's piece; versions that features may depend on are among them."""
        made_by = f"{device}, torch {torch.__version__}, pillow {PIL.__version__}"
        return fingerprint, self.encoder, self.weights, f"{head}; {self.preprocessing}; {made_by}"


@dataclass(frozen=True)
class SeenImage:
    """What is kept of an image: the sha256 of its source, its sides, and its features by head."""

    sha256: str
    height: int
    width: int
    features: Mapping[str, Vector]


class KeptFeatures:
    """Features by head; `identities` says what decides each, `device` is where they are taken."""

    def __init__(self, cache: EvidenceCache, identities: Mapping[str, Identity], device: str) -> None:
        self._cache, self._identities, self._device = cache, identities, device

    @classmethod
    def of_user(cls, identities: Mapping[str, Identity], device: str) -> KeptFeatures | None:
        """Those in EVALKIT_CACHE or ~/.cache/evalkit; None where nothing can be kept."""
        if not identities or not all(each.weights for each in identities.values()):
            return None
        try:
            return cls(EvidenceCache(kept_folder() / FILE), identities, device)
        except EvalkitError:
            return None

    def get(self, fingerprints: Sequence[str]) -> dict[str, SeenImage]:
        """By fingerprint, the images of which every head is known and whole."""
        keys = {each: self._keys(each) for each in dict.fromkeys(fingerprints) if each != MISSING}
        known = self._cache.get([key for mine in keys.values() for key in mine.values()])
        found: dict[str, SeenImage] = {}
        for fingerprint, mine in keys.items():
            pieces = {head: _unpacked(known.get(key)) for head, key in mine.items()}
            whole = {head: piece for head, piece in pieces.items() if piece is not None}
            if len(whole) == len(mine):
                first = next(iter(whole.values()))
                features = {head: piece.features["one"] for head, piece in whole.items()}
                found[fingerprint] = SeenImage(first.sha256, first.height, first.width, features)
        return found

    def put(self, images: Mapping[str, SeenImage]) -> None:
        """Keep the features of images by fingerprint; memory keeps none where no file can."""
        if not self._cache.lasting:
            return
        self._cache.put(
            {
                key: _packed(image, image.features[head])
                for fingerprint, image in images.items()
                if fingerprint != MISSING
                for head, key in self._keys(fingerprint).items()
            }
        )

    def _keys(self, fingerprint: str) -> dict[str, Key]:
        return {head: each.key(fingerprint, head, self._device) for head, each in self._identities.items()}


def _packed(image: SeenImage, values: Vector) -> str:
    data = np.ascontiguousarray(values, "<f4").tobytes()
    said = {"sha256": image.sha256, "height": image.height, "width": image.width}
    return json.dumps({**said, "float32": base64.b64encode(data).decode(), "digest": _digest(said, data)})


def _unpacked(text: str | None) -> SeenImage | None:
    """The image with its one head; None where there is nothing, or it is not what was kept."""
    if text is None:
        return None
    try:
        held = loose_json(text)
        data = base64.b64decode(held["float32"], validate=True)
        said = {name: held[name] for name in ("sha256", "height", "width")}
        if held["digest"] != _digest(said, data):
            return None
        return SeenImage(said["sha256"], said["height"], said["width"], {"one": np.frombuffer(data, "<f4")})
    except DAMAGED:
        return None


def _digest(said: Mapping[str, object], data: bytes) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode() + data).hexdigest()[:DIGITS]
