"""Did faces survive? PSNR and agreement of fine detail inside the boxes of the original's faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.errors import EvalkitError
from evalkit.metrics.aggregate import MeanOf
from evalkit.metrics.base import Estimate
from evalkit.metrics.detail import correlation, luma, residual
from evalkit.metrics.metric import Metric, Pair, Parts, floats
from evalkit.metrics.psnr import Image, mse, psnr, same_shape

SMALLEST = 16  # px of the shorter side: below this a face is a few cells of any tokenizer
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class FaceScores:
    """`psnr_face` in dB, `hf_correlation_face` in [-1, 1]; None where there is no face, or no detail in it."""

    psnr_face: float | None
    hf_correlation_face: float | None


def face_scores(original: Image, reconstruction: Image, boxes: Sequence[Box]) -> FaceScores:
    """Scores over the pixels of all `boxes` (left, top, right, bottom; the last two exclusive) of two uint8 [H, W, 3] images.

    The residuals are those of the whole images (`detail.residual`), so that a box has no borders of its own.
    """
    same_shape(original, reconstruction)
    height, width = original.shape[:2]
    for left, top, right, bottom in boxes:
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise EvalkitError(f"a face box lies inside the {width}x{height} image; {(left, top, right, bottom)} given")
    if not boxes:
        return FaceScores(None, None)
    x, y = (_inside(each, boxes) for each in (original, reconstruction))
    high_x, high_y = (_inside(residual(luma(each)), boxes) for each in (original, reconstruction))
    return FaceScores(psnr(mse(x, y)), correlation(high_x, high_y))


def _inside(image: Image, boxes: Sequence[Box]) -> Image:
    """The pixels of all boxes, one after the other, [n, 1] or [n, 1, 3]."""
    parts = [image[top:bottom, left:right] for left, top, right, bottom in boxes]
    return np.concatenate([part.reshape(-1, 1, *part.shape[2:]) for part in parts])


@dataclass(frozen=True)
class FacesSeen:
    """What a detector saw: boxes of the original's faces from `SMALLEST` px on, and how many are found again."""

    boxes: tuple[Box, ...]
    again: int


def face_columns(pair: Pair) -> Mapping[str, int | float | None]:
    """How many faces the original has, how many are found again, and the scores inside their boxes."""
    seen: FacesSeen = pair.evidence[DETECTOR]
    scores = face_scores(pair.original, pair.reconstruction, seen.boxes)
    return {FACES: len(seen.boxes), FOUND: seen.again, **asdict(scores)}


def photographs(task: str | None) -> bool:
    """Images that are no pages of text."""
    return task != "text"


@dataclass(frozen=True)
class MeanWithFaces:
    """The mean of a column over the images with faces; no row for data in which no face is."""

    column: str

    def __call__(self, parts: Parts) -> Estimate | None:
        """The estimate, or None."""
        mine = with_faces(parts)
        return MeanOf(self.column)(mine) if mine.rows.num_rows else None


def aggregate_recall(parts: Parts) -> Estimate | None:
    """Faces found again over faces, summed over images."""
    from evalkit.stats.intervals import ratio_interval

    mine = with_faces(parts)
    if not mine.rows.num_rows:
        return None
    return ratio_interval(mine.column(FOUND), mine.column(FACES), range=mine.range)


def with_faces(parts: Parts) -> Parts:
    """The same, of images in which a face was found."""
    return replace(parts, rows=parts.rows.filter(pc.greater(pc.fill_null(parts.rows[FACES], 0), 0)))


DETECTOR, FACES, FOUND = "faces", "faces", "faces_found"
_COLUMNS = (pa.field(FACES, pa.int32()), pa.field(FOUND, pa.int32()), *floats("psnr_face", "hf_correlation_face"))
PSNR_FACE = Metric(
    name="psnr_face",
    label="PSNR of faces",
    title="PSNR inside the boxes of faces",
    unit="dB",
    better="higher",
    low=0.0,
    source="evalkit.metrics.faces",
    level="pair",
    task="detail",
    needs=(DETECTOR,),
    columns=_COLUMNS,
    compute=face_columns,
    aggregate=MeanWithFaces("psnr_face"),
    images=photographs,
    shown=frozenset(),
)
DECLARED = (
    PSNR_FACE,
    replace(
        PSNR_FACE,
        name="hf_correlation_face",
        label="Correlation in faces",
        title="hf_correlation inside the boxes of faces",
        unit="",
        low=-1.0,
        high=1.0,
        aggregate=MeanWithFaces("hf_correlation_face"),
    ),
    replace(
        PSNR_FACE,
        name="face_recall",
        label="Faces found again",
        title="share of the faces that are found again",
        unit="",
        high=1.0,
        aggregate=aggregate_recall,
    ),
)
