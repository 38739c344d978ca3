"""How well images fit their prompts: CLIPScore, where its weights are at hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from evalkit.encoders.prompt_scorer import PromptScorer
from evalkit.errors import WeightsError
from evalkit.images.sample import Pixels
from evalkit.jobs.spec import ModelRef
from evalkit.metrics.image_text import CLIPSCORE
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256

ROLE = "texts"


def text_scorer_ref(files: Mapping[str, str]) -> ModelRef | str:
    """CLIPScore's network where its weights lie on this machine, else the reason why there is no score.

    Nothing is downloaded for it. Raises `WeightsError` where a file was given that is not there.
    """
    try:
        path = find_weights(CLIPSCORE.needs[0], files.get(CLIPSCORE.name), download=False)
    except WeightsError as error:
        if CLIPSCORE.name in files:
            raise
        return str(error)
    return ModelRef(CLIPSCORE.name, file_sha256(path), weights=str(path))


def text_scores(scorer: PromptScorer, image: Pixels, prompt: str) -> float:
    """The score of one image for its prompt, alone."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    return float(scorer.score(pixels, [prompt])[0])
