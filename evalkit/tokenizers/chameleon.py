"""Chameleon's VQGAN with its decoder (arXiv 2405.09818; facebookresearch/chameleon inference/vqgan.py)."""

from __future__ import annotations

from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.taming import Taming, VqganConfig


@register("chameleon", weights="chameleon-vqgan", config=VqganConfig(TamingConfig(), codes=8192), aliases=("anole",))
class Chameleon(Taming):
    """VQGAN with stride 16 and attention in the middle only; made for 512 x 512 images, takes multiples of 16."""

    def setup(self) -> None:
        """The image tokenizer of the official code works at 512 pixels."""
        super().setup()
        self.native_size = 512
