"""world-vq: the reference world's tokenizer, trained by this project and shipped with it (benchmarks/world/train_vq.py)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from evalkit.tokenizers.base import Codes, NetworkTokenizer
from evalkit.tokenizers.registry import register
from evalkit.world.vq_net import WorldVQConfig, WorldVQNet


@register("world-vq", weights="world_vq.safetensors", config=WorldVQConfig())
class WorldVQ(NetworkTokenizer):
    """1,024 codes of 8 x 8 blocks, each coded by itself; made for scenes of 64 px, takes any multiples of 8."""

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    config: WorldVQConfig
    network: WorldVQNet

    @classmethod
    def build(cls, config: WorldVQConfig) -> nn.Module:
        """The network with the shipped file's names."""
        return WorldVQNet(config)

    def setup(self) -> None:
        """Sizes follow from the configuration."""
        self.vocab_size, self.multiple, self.native_size = self.config.codes, 8, 64

    def tokens_per_image(self, height: int, width: int) -> int:
        """One code for each block."""
        return (height // 8) * (width // 8)

    def _encode(self, x: Tensor) -> Codes:
        z = self.network.encoder(x)
        return Codes(indices=self.network.indices(z), grid=(int(z.shape[2]), int(z.shape[3])))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        out: Tensor = self.network.decoder(self.network.lookup(codes.values.to(self.device), codes.map_grid()))
        return out
