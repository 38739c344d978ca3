"""Faces: found in the original, scored in the reconstruction, and looked for there again (task `detail`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.encoders.faces.face import FaceDetector, faces_found_again
from evalkit.images.sample import Pixels
from evalkit.metrics.faces import SMALLEST, face_scores
from evalkit.protocols import Protocol
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval, ratio_interval
from evalkit.tasks.tokenizer.details import PROTOCOLS
from evalkit.tasks.tokenizer.numbers import measured

COUNTS = ("faces", "faces_found")
SCORES = ("psnr_face", "hf_correlation_face")


def speaks_of_faces(tasks: frozenset[str], protocol: Protocol, task: str | None) -> bool:
    """Whether faces are looked for in an image of `task` (None: data without tasks): photographs, not pages of text."""
    return "detail" in tasks and protocol.id in PROTOCOLS and task != "text"


def face_columns(finder: FaceDetector, original: Pixels, reconstruction: Pixels) -> Mapping[str, int | float | None]:
    """The face columns of a pair's row; faces below 16 px of the scored image do not count."""
    faces = [face for face in finder.find(original) if face.side >= SMALLEST]
    boxes = [(face.left, face.top, face.right, face.bottom) for face in faces]
    again = faces_found_again(faces, finder.find(reconstruction)) if faces else 0
    return {"faces": len(faces), "faces_found": again, **asdict(face_scores(original, reconstruction, boxes))}


def face_results(dataset: str, part: pa.Table, protocol: Protocol, seed: int) -> Iterator[Result]:
    """Means over the images with faces, and the share of faces found again; nothing for data in which no face is."""
    with_faces = part.filter(pc.greater(pc.fill_null(part["faces"], 0), 0))
    if not with_faces.num_rows:
        return
    for metric in SCORES:
        yield measured(
            "detail", dataset, metric, mean_interval(_floats(with_faces, metric), method="mean", seed=seed), protocol
        )
    counts = (_floats(with_faces, name) for name in ("faces_found", "faces"))
    yield measured("detail", dataset, "face_recall", ratio_interval(*counts, seed=seed), protocol)


def _floats(part: pa.Table, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(part[column].to_numpy(zero_copy_only=False), np.float64)
