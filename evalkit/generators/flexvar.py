"""FlexVAR: scales of any number and side, each from the codes of the one before (2502.20313; jiaosiyu1999/FlexVAR)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.next_scale import NextScale
from evalkit.generators.next_scale import Inputs, NextScaleGenerator
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Codes

SCALES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
TRAINED = (*SCALES, 23, 24, 32)  # sides that the official sampler draws at; all others it takes greedily
RAMP = 9  # guidance reaches its full strength at this scale, at the latest


@dataclass(frozen=True)
class FlexVarConfig:
    """`depth` sets heads and width; `table`: side of the learned map of positions; `largest`: guided by ramp up to here."""

    depth: int
    head: int = 64
    codes: int = 8912
    dim: int = 32
    classes: int = 1000
    table: int = 32
    largest: int = 16
    scale: float = 2.5


class FlexVarNet(NextScale):
    """One map of positions, averaged down to each scale."""

    def __init__(self, config: FlexVarConfig) -> None:
        width = config.head * config.depth
        super().__init__(config.depth, width, config.depth, config.codes, config.dim, config.classes, True, False)
        self.pos_1LC = nn.Parameter(torch.zeros(1, width, config.table, config.table))

    def positions(self, scales: tuple[int, ...]) -> Tensor:
        """[1, L, C]."""
        maps = [F.interpolate(self.pos_1LC, size=(side, side), mode="area").flatten(2) for side in scales]
        return torch.cat(maps, 2).transpose(1, 2)


class Enlarged(Inputs):
    """The codes of the scale before, of unit length, bicubically enlarged."""

    def __init__(self, table: Tensor, scales: tuple[int, ...]) -> None:
        self.table, self.scales = table, scales

    def after(self, number: int, codes: Tensor) -> Tensor:
        """Features [B, n, d] of the inputs of scale `number` + 1."""
        side, following = self.scales[number], self.scales[number + 1]
        with torch.autocast(codes.device.type, enabled=False):
            maps = self.table[codes].reshape(len(codes), side, side, -1).permute(0, 3, 1, 2)
            grown = F.interpolate(maps, size=(following, following), mode="bicubic")
        return grown.flatten(2).transpose(1, 2)


@register("flexvar-d24", weights="FlexVARd24.pth", config=FlexVarConfig(24), tokenizer="flexvar")
@register("flexvar-d20", weights="FlexVARd20.pth", config=FlexVarConfig(20), tokenizer="flexvar")
@register("flexvar-d16", weights="FlexVARd16.pth", config=FlexVarConfig(16), tokenizer="flexvar")
class FlexVar(NextScaleGenerator):
    """Ten scales by default; `use_scales` takes any others, larger images too. The finest scale alone is decoded."""

    architecture = FlexVarNet
    config: FlexVarConfig

    def setup(self) -> None:
        """Sizes and the official script's sampler."""
        self.vocab_size, self.classes, self.largest = self.config.codes, self.config.classes, self.config.largest
        self.use_scales(SCALES)
        self.default_sampler = Sampler(Guidance("flexvar", self.config.scale), top_k=900, top_p=0.95, filter="var")

    def use_scales(self, scales: tuple[int, ...]) -> None:
        """Draw with these sides of the code maps; the last times 16 is the image's side."""
        super().use_scales(scales)
        self.side = 16 * scales[-1]

    def progress(self, number: int) -> float:
        """The ramp ends at the tenth scale; larger maps than the largest trained one are guided in full."""
        if self.scales[number] > self.largest:
            return 1.0
        return number / max(min(len(self.scales) - 1, RAMP), 1)

    def sampler_at(self, number: int, sampler: Sampler) -> Sampler:
        """Greedy for sides that were not trained, as officially."""
        side = self.scales[number]
        return replace(sampler, top_k=1) if side > self.largest or side not in TRAINED else sampler

    def inputs(self) -> Inputs:
        """Enlarged codes."""
        return Enlarged(self.tokenizer.network.quantize.table(), self.scales)  # type: ignore[attr-defined]

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        from evalkit.generators.pixels import to_uint8

        side = self.scales[-1]
        last = Codes(indices=tokens[:, -side * side :], grid=(side, side))
        return to_uint8(self.tokenizer.decode(last), "round")
