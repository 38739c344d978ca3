"""How different the images of one prompt are, from the embeddings that evidence keeps."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.evidence.record import ImageEvidence

Array = NDArray[Any]
_KEPT = np.dtype("<f2")


def packed(embedding: Array) -> str:
    """An embedding as evidence keeps it: 16 bits a number, which moves a cosine by about 1e-5."""
    return base64.b64encode(np.asarray(embedding, _KEPT).tobytes()).decode("ascii")


def unpacked(text: str) -> Array:
    """float64 [width]. Raises `EvalkitError` for a text that holds none."""
    try:
        found = np.frombuffer(base64.b64decode(text, validate=True), _KEPT).astype(np.float64)
    except (binascii.Error, ValueError):
        found = np.empty(0)
    if not found.size or not np.isfinite(found).all() or not found.any():
        raise EvalkitError("an embedding of the evidence is broken. Give the evidence of a run")
    return found


def spreads(images: Iterable[ImageEvidence]) -> dict[str, float]:
    """For each image with an embedding the mean of 1 - cosine to the others of its prompt; none where there are none.

    The mean over the images of a prompt is the mean over its pairs. Raises `EvalkitError` for embeddings of two widths.
    """
    groups: dict[str, list[tuple[str, Array]]] = {}
    for each in images:
        if each.embedding is not None:
            groups.setdefault(each.prompt, []).append((each.image, unpacked(each.embedding)))
    return {image: value for group in groups.values() if len(group) > 1 for image, value in _of_group(group)}


def _of_group(group: list[tuple[str, Array]]) -> list[tuple[str, float]]:
    if len({len(row) for _, row in group}) > 1:
        raise EvalkitError("the embeddings of one prompt differ in width. Give the evidence of one run")
    rows = np.stack([row for _, row in group])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    apart = 1 - rows @ rows.T
    np.fill_diagonal(apart, 0)
    means = apart.sum(1) / (len(group) - 1)
    return [(image, float(value)) for (image, _), value in zip(group, means, strict=True)]
