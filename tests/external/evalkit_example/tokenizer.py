"""Halves the image and doubles it again: the smallest honest tokenizer."""

import torch.nn.functional as F
from torch import Tensor

from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.registry import register


@register("halve", aliases=("half",))
class Halve(Tokenizer):
    """Keeps every second pixel's average as a continuous code."""

    multiple = 2

    def __init__(self, name: str, config: None) -> None:
        self.name = name

    def tokens_per_image(self, height: int, width: int) -> int:
        return height * width // 4

    def encode(self, images: Tensor) -> Codes:
        return Codes(latent=F.avg_pool2d(images, 2))

    def decode(self, codes: Codes, *, seed: int = 0, noise: Tensor | None = None) -> Tensor:
        return F.interpolate(codes.values, scale_factor=2.0, mode="bilinear")
