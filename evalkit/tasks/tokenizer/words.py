"""Annotated words and faces of an image: where they lie in what was fed to the model, and what networks see there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from evalkit.encoders.faces.embed import LANDMARKS
from evalkit.errors import DAMAGED, EvalkitError
from evalkit.images.sample import Pixels
from evalkit.metrics.consistency import cosine
from evalkit.metrics.tokbench import Word, ratio_of, setting_of
from evalkit.tasks.tokenizer.pair import Pair

SMALLEST = 2  # px of a side of a crop
_GROWN = {"crop": 0.0, "var-lanczos": 1.125}  # times the side to which the shorter one is brought; 0: not resized
Box = tuple[int, int, int, int]


class Recogniser(Protocol):
    """Reads one word in a crop."""

    def word(self, image: Pixels) -> str:
        """The word in a uint8 [H, W, 3] image; empty where none is read."""


class Embedder(Protocol):
    """Turns a face into a vector."""

    def embed(self, image: Pixels, landmarks: Sequence[Sequence[float]]) -> npt.NDArray[np.float32]:
        """The vector of the face with these five (x, y) in a uint8 [H, W, 3] image."""


def alike_faces(pair: Pair, method: str, embedder: Embedder) -> tuple[int, list[list[float]]]:
    """(TokBench's setting, [ratio, cosine] of each face whose landmarks lie in the pair), by the landmarks of both images.

    Raises `EvalkitError` for faces that are not annotated as docs/tokenizers.md says.
    """
    shape, fed = (int(pair.row["height"]), int(pair.row["width"])), pair.original.shape[:2]
    found = []
    for said in pair.meta.get("faces") or ():
        try:
            points = [(float(x), float(y)) for x, y in said["kps"]]
            ratio = float(said["ratio"])
            if len(points) != LANDMARKS:
                raise ValueError(f"{len(points)} landmarks")
        except DAMAGED as error:
            raise EvalkitError(f"a face of an image lacks {error}. Give kps, five (x, y), and ratio for each") from None
        scale, (down, across) = _moved(shape, fed, method)
        moved = [(x * scale - across, y * scale - down) for x, y in points]
        if all(0 <= x < fed[1] and 0 <= y < fed[0] for x, y in moved):
            a, b = (embedder.embed(image, moved) for image in (pair.original, pair.reconstruction))
            found.append([ratio, cosine(a, b)])
    return setting_of(max(fed)), found


def read_words(pair: Pair, method: str, recogniser: Recogniser) -> tuple[int, list[Word]]:
    """(TokBench's setting, the words that lie wholly in the pair with what is read of them in the reconstruction).

    `method`: how the image became the pair's original, a key of `images.geometry.METHODS`; of pairs at the image's own
    size nothing is cut off. Raises `EvalkitError` for words that are not annotated as docs/tokenizers.md says.
    """
    shape = (int(pair.row["height"]), int(pair.row["width"]))
    found = []
    for said in pair.meta.get("words") or ():
        text, box, ratio = _word(said, shape)
        place = placed(box, shape, pair.original.shape[:2], method)
        if place is not None:
            left, top, right, bottom = place
            found.append(Word(text, ratio, recogniser.word(pair.reconstruction[top:bottom, left:right])))
    return setting_of(max(pair.original.shape[:2])), found


def placed(box: Sequence[float], shape: tuple[int, int], fed: tuple[int, ...], method: str) -> Box | None:
    """The box (left, top, right, bottom) of an image of `shape` (height, width) in what was `fed`; None where it is cut.

    >>> placed((100, 50, 200, 100), (200, 400), (100, 100), "short-bicubic")
    (0, 25, 50, 50)
    """
    scale, away = _moved(shape, fed, method)
    left, right = (round(x * scale - away[1]) for x in (box[0], box[2]))
    top, bottom = (round(y * scale - away[0]) for y in (box[1], box[3]))
    inside = min(left, top) >= 0 and right <= fed[1] and bottom <= fed[0]
    return (left, top, right, bottom) if inside and min(right - left, bottom - top) >= SMALLEST else None


def _moved(shape: tuple[int, int], fed: tuple[int, ...], method: str) -> tuple[float, tuple[float, float]]:
    """(how much larger an image became, what was cut off above and on the left)."""
    scale = 1.0
    if tuple(fed[:2]) != shape and (times := _GROWN.get(method, 1.0)):
        scale = times * fed[0] / min(shape)
    return scale, ((shape[0] * scale - fed[0]) / 2, (shape[1] * scale - fed[1]) / 2)


def _word(said: Mapping[str, Any], shape: tuple[int, int]) -> tuple[str, list[float], float]:
    try:
        text, box = str(said["text"]), [float(each) for each in said["box"]]
        given = said.get("ratio")
        if len(box) != 4:
            raise ValueError(f"a box of {len(box)} numbers")
        return text, box, ratio_of(box, text, *shape) if given is None else float(given)
    except DAMAGED as error:
        raise EvalkitError(
            f"a word of an image lacks {error}. Give text and box (left, top, right, bottom) for each of words"
        ) from None
