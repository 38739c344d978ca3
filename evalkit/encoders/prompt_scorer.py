"""The contract of networks that score an image for its prompt, and the registry of them.

Each scorer is named by model and version, since none compares with another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.registry import Registry

Array = npt.NDArray[np.float64]
_ENTRIES = ("evalkit.encoders.clip_scores", "evalkit.encoders.image_reward", "evalkit.encoders.niqe")


class PromptScorer(ABC):
    """A score of every image for its prompt; an image's score does not depend on the batch it comes in."""

    name: str
    weights_sha256: str
    partial: bool = False  # an image may have no score, which is nan then

    @abstractmethod
    def score(self, images: Tensor, prompts: Sequence[str]) -> Array:
        """float64 [B] of uint8 [B, 3, H, W] images and B prompts."""

    def _check(self, images: Tensor, prompts: Sequence[str]) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            shape = tuple(images.shape)
            raise EvalkitError(f"{self.name} takes uint8 [B, 3, H, W] images; {images.dtype} {shape} was given.")
        if len(images) != len(prompts):
            raise EvalkitError(f"{len(images)} images and {len(prompts)} prompts were given. Give one prompt an image.")


Load = Callable[[str | Path | None, torch.device], PromptScorer]


def _import_entries() -> None:
    for name in _ENTRIES:
        import_module(name)


PROMPT_SCORERS: Registry[Load] = Registry("prompt scorer", _import_entries)


def load_prompt_scorer(name: str, weights: str | Path | None = None, device: str = "auto") -> PromptScorer:
    """The scorer called `name` (`clipscore`, `pickscore`, `hpsv2_1`, `image_reward`, `aesthetic_v2`, …).

    Raises `WeightsError` where its weights cannot be had: it says what is missing and from where it comes.
    """
    from evalkit.device import pick_device

    return PROMPT_SCORERS.get(name)(weights, pick_device(device))


def numbers(x: Tensor) -> Array:
    """A tensor as float64 numbers on the CPU."""
    return x.double().cpu().numpy()
