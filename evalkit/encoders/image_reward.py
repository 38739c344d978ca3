"""ImageReward-v1.0 as a prompt scorer: weights, words and preprocessing of the official release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evalkit.encoders.blip_reward import UNUSED, RewardNet, RewardSize
from evalkit.encoders.features.clip import MEAN, STD
from evalkit.encoders.prompt_scorer import PROMPT_SCORERS, Array, PromptScorer, numbers
from evalkit.encoders.resize import resized
from evalkit.errors import MissingDependency
from evalkit.metrics.image_text import IMAGE_REWARD, rewards
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, unwrap, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

LONGEST = 35  # tokens of a prompt; the rest is cut


class ImageReward(PromptScorer):
    """Standardised reward of an image for its prompt; about 0 for an average image of the training set."""

    name = IMAGE_REWARD.name

    def __init__(self, weights: str | Path | None, device: torch.device, *, size: RewardSize | None = None) -> None:
        """The folder holds ImageReward.pt and the vocabulary vocab.txt of bert-base-uncased."""
        folder = find_weights(IMAGE_REWARD.needs[0], weights)
        path = folder / "ImageReward.pt"
        self.size = size or RewardSize()
        with without_init():
            network = RewardNet(self.size)
        fit(network, unwrap(read_checkpoint(path), ("state_dict", "model")), path, "image-reward", unused=UNUSED)
        self.network = network.eval().requires_grad_(False).to(device)
        self.device = device
        self.words = _tokenizer(folder / "vocab.txt")
        self.weights_sha256 = file_sha256(path)

    @torch.inference_mode()
    def score(self, images: Tensor, prompts: Sequence[str]) -> Array:
        """float64 [B]."""
        self._check(images, prompts)
        x = resized(images.to(self.device), self.size.side, "clip") / 255
        mean, std = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in (MEAN, STD))
        found = self.words(
            list(prompts), padding="max_length", truncation=True, max_length=LONGEST, return_tensors="pt"
        )
        tokens, seen = (found[name].to(self.device) for name in ("input_ids", "attention_mask"))
        return rewards(numbers(self.network((x - mean) / std, tokens, seen)))


def _tokenizer(vocabulary: Path) -> Any:
    try:
        from transformers import BertTokenizer
    except ImportError:
        raise MissingDependency("ImageReward", "hf") from None
    return BertTokenizer(str(vocabulary), do_lower_case=True)


PROMPT_SCORERS.add(IMAGE_REWARD.name, ImageReward)
