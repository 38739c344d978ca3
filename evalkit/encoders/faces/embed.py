"""`sface`: a face as a vector, from five landmarks that are known (SFace, Zhong et al. 2021, by way of OpenCV's zoo).

TokBench's own embedder, InsightFace's antelopev2, may not be used commercially, so results of this one bear its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from evalkit.errors import WeightsError
from evalkit.images.sample import Pixels
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256

LANDMARKS = 5  # right eye, left eye, nose, right and left corner of the mouth, as seen in the image from the left


class FaceEmbedder:
    """OpenCV's recogniser: it aligns a face of 112 px by its landmarks, and gives 128 numbers."""

    id, version = "sface", "2021dec"

    def __init__(self, weights: str | Path | None = None) -> None:
        """Raises `WeightsError` where the network's file is missing or damaged."""
        path = find_weights(self.id, weights)
        self.weights_sha256 = file_sha256(path)
        try:
            self._network: Any = cv2.FaceRecognizerSF.create(str(path), "")
        except cv2.error:
            raise WeightsError(f"{path} is no network of SFace. Give face_recognition_sface_2021dec.onnx") from None

    def embed(self, image: Pixels, landmarks: Sequence[Sequence[float]]) -> npt.NDArray[np.float32]:
        """float32 [128] of the face with these five (x, y) in a uint8 [H, W, 3] image."""
        face = np.zeros((1, 15), np.float32)
        face[0, 4:14] = np.asarray(landmarks, np.float32).reshape(-1)
        aligned = self._network.alignCrop(np.ascontiguousarray(image[:, :, ::-1]), face)
        vector: npt.NDArray[np.float32] = np.asarray(self._network.feature(aligned), np.float32).reshape(-1)
        return vector
