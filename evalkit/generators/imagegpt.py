"""ImageGPT through transformers: 32 x 32 pixels as 512 colour clusters, one after another, without any condition.

Chen et al. 2020; the loop, seeds and filters are evalkit's. The codes are pixels, so there is no tokenizer to load: a
code's colour stands in preprocessor_config.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evalkit.errors import MissingDependency, WeightsError
from evalkit.generators.base import CodingGenerator, Conditions, Request, Step
from evalkit.generators.folders import folder_digest, load_whole, model_folder
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import Source, register
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels
from evalkit.jsonio import parse_json
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.batch import Batch, as_batch


@register("imagegpt-small", config="openai/imagegpt-small")
@register("imagegpt-medium", config="openai/imagegpt-medium")
@register("imagegpt-large", config="openai/imagegpt-large")
class ImageGptGenerator(CodingGenerator):
    """Unconditional: prompts and classes only name the images."""

    conditions: Conditions = "any"
    default_sampler = Sampler(top_k=40)

    def __init__(self, source: Source, model: Any, colours: Tensor) -> None:
        self.name, self.device, self.dtype = source.name, source.device, source.dtype
        self.model = model.eval().requires_grad_(False).to(source.device)
        self.colours = ColourClusters(colours, round(int(model.config.n_positions) ** 0.5))
        self.tokens_per_image = int(model.config.n_positions)
        self.vocab_size, self.side = len(colours), self.colours.native_size
        self.logits_processors = []

    @classmethod
    def load(cls, source: Source) -> ImageGptGenerator:
        """The runner of a folder in transformers' layout."""
        try:
            from transformers import ImageGPTForCausalImageModeling
        except ImportError:
            raise MissingDependency(source.name, "hf") from None
        folder = model_folder(source, source.config, pickled=True)
        model = load_whole(folder, ImageGPTForCausalImageModeling.from_pretrained, dtype=source.dtype)
        made = cls(source, model, _colours(folder))
        made.weights_sha256 = folder_digest(folder)
        return made

    @property
    def tokenizer(self) -> ColourClusters:
        """The colours that codes stand for."""
        return self.colours

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """int64 [B]: the code that starts an image."""
        return torch.full((len(requests),), self.vocab_size, device=self.device)

    def logits(self, conditions: Tensor, tokens: Tensor) -> Tensor:
        """float32 [B, N, V]: entry i predicts pixel i of `tokens` [B, N], row by row."""
        before = torch.cat([conditions[:, None].to(self.device), tokens[:, :-1].to(self.device)], 1)
        with torch.inference_mode():
            out: Tensor = self.model(input_ids=before, use_cache=False).logits
        return out[..., : self.vocab_size].float()

    def _tokens(
        self, conditions: Tensor, sampler: Sampler, draws: Tensor, seeds: tuple[int, ...]
    ) -> tuple[Tensor, int]:
        count = self.tokens_per_image
        tokens = torch.zeros(len(conditions), count, dtype=torch.int64, device=conditions.device)
        last, cache = conditions[:, None], None
        for i in range(count):
            out = self.model(input_ids=last, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            logits = out.logits[:, -1:, : self.vocab_size].float()
            last = self.choose(logits, Step(i, range(i, i + 1), tokens[:, :i], seeds), sampler, draws)
            tokens[:, i] = last[:, 0]
        return tokens, count

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        """As in the release."""
        return to_uint8(self.colours.decode(Codes(indices=tokens.cpu())), "round")


class ColourClusters(Tokenizer):
    """Pixels as the nearest of a few colours, float32 [V, 3] on [-1, 1] (openai/image-gpt, utils.py)."""

    name = "imagegpt-colours"

    def __init__(self, centres: Tensor, side: int) -> None:
        self.centres, self.vocab_size, self.native_size = centres, len(centres), side
        self.weights_sha256 = hashlib.sha256(centres.numpy().tobytes()).hexdigest()

    def encode(self, images: Batch) -> Codes:
        """A code for each pixel, row by row."""
        pixels = (2 * as_batch(images) - 1).permute(0, 2, 3, 1).flatten(1, 2)
        apart = torch.cdist(pixels, self.centres, compute_mode="donot_use_mm_for_euclid_dist")
        return Codes(indices=apart.argmin(-1), grid=(int(images.shape[2]), int(images.shape[3])))

    def decode(self, codes: Codes, *, seed: int = 0, noise: Tensor | None = None) -> Tensor:
        """The colours."""
        placed = self.centres[codes.values].reshape(len(codes), *codes.map_grid(), 3)
        return (placed.permute(0, 3, 1, 2) + 1) / 2

    def tokens_per_image(self, height: int, width: int) -> int:
        """One for each pixel."""
        return height * width


def _colours(folder: Path) -> Tensor:
    """float32 [V, 3] cluster centres on [-1, 1]."""
    try:
        stated = parse_json((folder / "preprocessor_config.json").read_bytes(), "it")
        colours = torch.tensor(stated["clusters"], dtype=torch.float32)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{folder.name} has no colour clusters in preprocessor_config.json ({error!r}); give the whole folder"
        ) from None
    if colours.ndim != 2 or colours.shape[1] != 3:
        raise WeightsError(f"{folder.name} gives colour clusters of shape {tuple(colours.shape)}; [V, 3] is expected")
    return colours
