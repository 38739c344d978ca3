"""VAR: images of a class, scale after scale, each from what is summed up so far (2404.02905; FoundationVision/VAR)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.next_scale import NextScale
from evalkit.generators.next_scale import Inputs, NextScaleGenerator
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler
from evalkit.tokenizers.nets.residual import ResidualCodebook

SCALES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
SCALES_512 = (1, 2, 3, 4, 6, 9, 13, 18, 24, 32)


@dataclass(frozen=True)
class VarConfig:
    """`depth` sets heads (as many) and width (64 each). `shared`: one modulation for all blocks (the 512 px model)."""

    depth: int
    scales: tuple[int, ...] = SCALES
    shared: bool = False
    head: int = 64
    codes: int = 4096
    dim: int = 32
    classes: int = 1000
    unit: bool = True
    scale: float = 1.5


class VarNet(NextScale):
    """A position and a level for every code."""

    def __init__(self, config: VarConfig) -> None:
        width = config.head * config.depth
        super().__init__(
            config.depth, width, config.depth, config.codes, config.dim, config.classes, config.unit, config.shared
        )
        self.pos_1LC = nn.Parameter(torch.zeros(1, sum(side * side for side in config.scales), width))
        self.lvl_embed = nn.Embedding(len(config.scales), width)

    def positions(self, scales: tuple[int, ...]) -> Tensor:
        """[1, L, C]."""
        level = torch.cat([torch.full((side * side,), i) for i, side in enumerate(scales)])
        levels: Tensor = self.lvl_embed(level.to(self.pos_1LC.device))
        return levels + self.pos_1LC


class Residual(Inputs):
    """The sum of what the scales add, shrunk to the next scale's side."""

    def __init__(self, codebook: ResidualCodebook, scales: tuple[int, ...]) -> None:
        self.codebook, self.scales = codebook, scales
        self.total: Tensor | None = None

    def after(self, number: int, codes: Tensor) -> Tensor:
        """Features [B, n, d] of the inputs of scale `number` + 1."""
        side, following = self.scales[-1], self.scales[number + 1]
        with torch.autocast(codes.device.type, enabled=False):
            part = self.codebook.grow(codes, number, self.scales, (side, side))
            self.total = part if self.total is None else self.total + part
            small = F.interpolate(self.total, size=(following, following), mode="area")
        return small.flatten(2).transpose(1, 2)


@register("var-d36", weights="var_d36.pth", config=VarConfig(36, SCALES_512, True), tokenizer="var-512")
@register("var-d30", weights="var_d30.pth", config=VarConfig(30), tokenizer="var")
@register("var-d24", weights="var_d24.pth", config=VarConfig(24), tokenizer="var")
@register("var-d20", weights="var_d20.pth", config=VarConfig(20), tokenizer="var")
@register("var-d16", weights="var_d16.pth", config=VarConfig(16), tokenizer="var")
class Var(NextScaleGenerator):
    """680 codes of ten scales (2240 at 512 px). Needs the tokenizer's file too: its quantiser makes the inputs.

    CCA's weights fit the same network; they are drawn with `--guidance 0`.
    """

    architecture = VarNet
    config: VarConfig

    def setup(self) -> None:
        """Sizes and the sampler of the README's FID figures."""
        self.use_scales(self.config.scales)
        self.vocab_size, self.classes = self.config.codes, self.config.classes
        self.side = 16 * self.scales[-1]
        self.default_sampler = Sampler(Guidance("var", self.config.scale), top_k=900, top_p=0.96, filter="var")

    def inputs(self) -> Inputs:
        """Sums of the residual quantiser."""
        network = self.tokenizer.network  # type: ignore[attr-defined]
        return Residual(network.quantize, self.scales)
