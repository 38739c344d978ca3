"""`q16`: whether an image is inappropriate, by two learnt embeddings beside CLIP's images (arXiv:2202.06675).

The file prompts.p of ml-research/Q16 holds float16 [2, 768] for CLIP ViT-L/14; row 1 is inappropriate. The answer is the
larger of 100 x cosine.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from evalkit.encoders.classifiers.base import Classifier, Labelled, likeliest
from evalkit.encoders.registry import register
from evalkit.encoders.zero_shot import SHARPNESS, ClipZeroShot
from evalkit.errors import WeightsError
from evalkit.images.sample import Pixels
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256

KEY, WIDTH = "q16-prompts", 768
_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
}  # fmt: skip


@register("q16", "label")
class Q16(Classifier):
    """Two labels; `inappropriate` is the one that counts."""

    id = "q16"
    labels = ("appropriate", "inappropriate")

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        """`weights`: the file prompts.p; CLIP's own file is searched for."""
        path = find_weights(KEY, weights)
        self.prompts = F.normalize(torch.from_numpy(read_prompts(path)), dim=-1)
        self.clip = ClipZeroShot(None, device)
        self.weights_sha256 = file_sha256(path)

    def __call__(self, images: Sequence[Pixels]) -> list[tuple[Labelled, ...]]:
        """The likelier label of each image first."""
        if not images:
            return []
        logits = SHARPNESS * (self.clip.image_features(images)[:, None].double() * self.prompts.double()).sum(-1)
        return likeliest(logits.softmax(-1), self.labels)


class _Arrays(pickle.Unpickler):
    """Reads arrays of numbers and nothing that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        """numpy's own makers of arrays."""
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it holds {module}.{name}")
        return super().find_class(module, name)


def read_prompts(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """float32 [2, 768] of prompts.p; raises `WeightsError` for any other file."""
    try:
        with path.open("rb") as stream:
            found = np.asarray(_Arrays(stream).load(), np.float32)
    except Exception as error:
        raise WeightsError(
            f"{path} is no file of Q16's embeddings ({error}). Give prompts.p of ml-research/Q16"
        ) from None
    if found.shape != (2, WIDTH):
        raise WeightsError(f"{path} holds {found.shape} numbers, not [2, {WIDTH}]. Give prompts.p for CLIP ViT-L/14")
    return found
