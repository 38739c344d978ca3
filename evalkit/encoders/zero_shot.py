"""Which of several words describes an image: zero-shot classification by CLIP (Radford et al. 2021, arXiv:2103.00020).

`clip-vitl14-224` is open_clip's ViT-L-14 with OpenAI's weights in float32, which GenEval asks for colours. A word stands
for several sentences; their embeddings are averaged at unit length, and logits are 100 x cosine
(LAION-AI/CLIP_benchmark 1.4.0, metrics/zeroshot_classification.py).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from evalkit.encoders.base import Encoder, Kind
from evalkit.encoders.features.clip import MEAN, STD
from evalkit.encoders.precision import full_float32
from evalkit.encoders.registry import register
from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

KEY, MODEL = "clip-vitl14-224", "ViT-L-14"
SHARPNESS = 100.0


@dataclass(frozen=True)
class Choice:
    """An answer, and the sentences that stand for it."""

    word: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Chosen:
    """The likeliest answer and its probability among those that could be given."""

    word: str
    probability: float


class ZeroShot(Encoder):
    """Chooses among words; what it says of an image does not depend on the batch."""

    kind: ClassVar[Kind] = "label"

    @abstractmethod
    def __call__(self, images: Sequence[Pixels], choices: Sequence[Choice]) -> list[Chosen]:
        """The likeliest of the `choices` for each of the uint8 [H, W, 3] images; of equal ones the first."""


@register(KEY, "label")
class ClipZeroShot(ZeroShot):
    """Both halves of a CLIP file in open_clip's layout."""

    def __init__(
        self,
        weights: str | Path | None,
        device: torch.device,
        *,
        config: Mapping[str, Any] | None = None,
        batch: int = 16,
    ) -> None:
        """`config`: sizes in open_clip's form where they are not those of ViT-L-14. Raises `WeightsError`."""
        import open_clip  # slow to import, and needed by few

        path = find_weights(KEY, weights)
        config = config or open_clip.get_model_config(MODEL)
        with without_init():
            network = open_clip.CLIP(
                config["embed_dim"], dict(config["vision_cfg"]), dict(config["text_cfg"]), quick_gelu=True
            )
        fit(network, read_checkpoint(path), path, KEY)
        self.network = network.eval().requires_grad_(False).to(device)
        self.tokens = open_clip.get_tokenizer(MODEL)
        self.id, self.version, self.weights_sha256 = KEY, f"open_clip {open_clip.__version__}", file_sha256(path)
        self.side = int(config["vision_cfg"]["image_size"])
        self.device, self.batch = device, batch
        self._known: dict[tuple[str, ...], Tensor] = {}

    def __call__(self, images: Sequence[Pixels], choices: Sequence[Choice]) -> list[Chosen]:
        """The likeliest choice for each image. Raises `EvalkitError` where there is no choice."""
        if not choices:
            raise EvalkitError("there is nothing to choose from; give at least one word with its sentences")
        if not images:
            return []
        words = torch.stack([self._word(choice.sentences) for choice in choices])
        logits = SHARPNESS * (self.image_features(images)[:, None].double() * words).sum(
            -1
        )  # a product rounds by batch
        best = logits.softmax(1).max(1)
        return [Chosen(choices[i].word, p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]

    @torch.inference_mode()
    def image_features(self, images: Sequence[Pixels]) -> Tensor:
        """float32 [n, width] of unit length, on the CPU; batches are filled up, so that each image is seen alike."""
        found = []
        for start in range(0, len(images), self.batch):
            rows = [self._prepared(image) for image in images[start : start + self.batch]]
            x = torch.stack(rows + rows[-1:] * (self.batch - len(rows))).to(self.device)
            with full_float32():
                found.append(F.normalize(self.network.encode_image(x), dim=-1)[: len(rows)].cpu())
        return torch.cat(found)

    @torch.inference_mode()
    def text_features(self, texts: Sequence[str]) -> Tensor:
        """float32 [n, width] of unit length, on the CPU; texts beyond CLIP's 77 tokens are cut, as open_clip does."""
        with full_float32():
            out = self.network.encode_text(self.tokens(list(texts)).to(self.device))
        return F.normalize(out, dim=-1).cpu()

    def _word(self, sentences: tuple[str, ...]) -> Tensor:
        if sentences not in self._known:
            self._known[sentences] = F.normalize(self.text_features(sentences).mean(0), dim=-1)
        return self._known[sentences]

    def _prepared(self, image: Pixels) -> Tensor:
        """The network's input [3, side, side]: bicubic on the shorter side, centre square, normalised."""
        opened = Image.fromarray(image)
        from torchvision.transforms import InterpolationMode  # slow to import
        from torchvision.transforms import functional as pillow

        scaled = pillow.resize(opened, [self.side], interpolation=InterpolationMode.BICUBIC)
        square = np.asarray(pillow.center_crop(scaled, [self.side]), np.float32) / 255
        x = (square - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
        return torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1), np.float32))
