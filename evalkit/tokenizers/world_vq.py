"""world-vq and world-vq2: the reference world's tokenizers, trained by this project (benchmarks/world)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.shapes import MapTokenizer
from evalkit.world.second.scene import SIDE
from evalkit.world.second.vq_net import CONFIG, WorldVQ2Net
from evalkit.world.vq_net import WorldVQConfig, WorldVQNet


@register("world-vq", weights="world_vq.safetensors", config=WorldVQConfig())
class WorldVQ(MapTokenizer):
    """1,024 codes of 8 x 8 blocks, each coded by itself; made for scenes of 64 px, takes any multiples of 8."""

    value_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    architecture = WorldVQNet
    projected = False
    config: WorldVQConfig
    network: WorldVQNet

    def setup(self) -> None:
        """Sizes follow from the configuration."""
        self.vocab_size, self.multiple, self.native_size = self.config.codes, 8, 64

    def _indices(self, z: Tensor) -> Tensor:
        return self.network.indices(z)

    def _vectors(self, codes: Codes) -> Tensor:
        return self.network.lookup(codes.values.to(self.device), codes.map_grid())


@register("world-vq2", weights="world_vq2.safetensors", config=CONFIG)
class WorldVQ2(WorldVQ):
    """2,048 codes that each see 40 px; made for the second edition's scenes of 96 px, takes any multiples of 8."""

    architecture = WorldVQ2Net
    network: WorldVQ2Net

    def setup(self) -> None:
        """Sizes follow from the configuration."""
        self.vocab_size, self.multiple, self.native_size = self.config.codes, 8, SIDE
