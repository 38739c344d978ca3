"""Distilled Decoding: images of a class in one or two passes instead of one for each code (arXiv 2412.17153).

The map from noise to codes was taught by VAR or LlamaGen under their guidance, so that there is none here. The first places
become the likeliest codes, the others stay the latents that the network gives. A second pass keeps the first places.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.latent import LatentGenerator
from evalkit.generators.llamagen import LlamaGenConfig
from evalkit.generators.nets.distilled import DistilledLlamaGenNet, DistilledVarNet
from evalkit.generators.nets.llama import SIZES
from evalkit.generators.next_token import class_ids
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import register
from evalkit.generators.sampling import Sampler
from evalkit.generators.var import VarConfig
from evalkit.images.sample import Pixels


@dataclass(frozen=True)
class DistilledConfig:
    """`net`: sizes of the network. The first `split` places become codes; a second pass keeps the first `again`."""

    net: VarConfig | LlamaGenConfig
    split: int
    again: int
    dim: int = 8  # of LlamaGen's latents

    @property
    def width(self) -> int:
        """Channels of the blocks."""
        net = self.net
        return net.head * net.depth if isinstance(net, VarConfig) else net.width


class Distilled(LatentGenerator):
    """One pass by default, two with `--steps 2`."""

    takes = frozenset({"steps"})
    config: DistilledConfig
    classes: int
    dim: int

    def setup(self) -> None:
        """One step."""
        self.classes, self.side = self.config.net.classes, 256
        self.default_sampler = Sampler(Guidance("none"), steps=1)

    def predict(self, conditions: Tensor, latents: Tensor, known: int) -> tuple[Tensor, Tensor]:
        """float32 (latents [B, L, d], logits [B, L, V]) of latents [B, L, d] whose first `known` places are no noise."""
        with torch.inference_mode(), self._autocast():
            found, logits = self.network(conditions.to(self.device), latents.to(self.device), known)
        return found.float(), logits.float()

    def draw_latents(self, conditions: Tensor, noise: Tensor, steps: int) -> Tensor:
        """float32 [B, L, d] of class ids [B] and noise [B, L, d] in one or two steps."""
        found, table = noise, self.tokenizer.network.quantize.table()  # type: ignore[attr-defined]
        for known in (0, self.config.again)[:steps]:
            given = torch.cat([found[:, :known], noise[:, known:]], 1)
            latents, logits = self.predict(conditions, given, known)
            codes = table[logits[:, known : self.config.split].argmax(-1)]
            found = torch.cat([given[:, :known], codes, latents[:, known + codes.shape[1] :]], 1)
        return found

    def _latents(self, requests: Sequence[Request], sampler: Sampler) -> Tensor:
        steps = sampler.steps or 1
        if steps not in (1, 2):
            raise EvalkitError(f"{self.name} draws in one or two steps; {steps} asked for. Give --steps 1 or --steps 2")
        chance = [torch.Generator().manual_seed(request.seed) for request in requests]
        noise = torch.stack([torch.randn(self.places, self.dim, generator=each) for each in chance])
        ids = class_ids(requests, self.classes, self.name, self.device)
        return self.draw_latents(ids, noise.to(self.device), steps)

    def evaluations(self, sampler: Sampler) -> int:
        """As many as steps."""
        return sampler.steps or 1

    @abstractmethod
    def features(self, latents: Tensor, network: Any) -> Tensor:
        """The tokenizer's features [B, d, h, w] of latents [B, L, d]."""

    def _pixels(self, latents: Tensor) -> list[Pixels]:
        network = self.tokenizer.network  # type: ignore[attr-defined]
        with torch.inference_mode():
            each = [network.decoder(network.post_quant_conv(self.features(one, network))) for one in latents[:, None]]
        return [image for one in each for image in to_uint8(one.clamp(-1, 1) / 2 + 0.5, "round")]


def on_grid(latents: Tensor, side: int) -> Tensor:
    """The map [B, d, side, side] of latents [B, side * side, d] in raster order."""
    return latents.transpose(1, 2).reshape(len(latents), -1, side, side)


def _var(depth: int, scales: int) -> DistilledConfig:
    net = VarConfig(depth)
    kept = sum(side * side for side in net.scales[:scales])
    return DistilledConfig(net, kept, kept)


@register("var-dd-d24", weights="var-d24.pth", config=_var(24, 4), tokenizer="var")
@register("var-dd-d20", weights="var-d20.pth", config=_var(20, 4), tokenizer="var")
@register("var-dd-d16", weights="var-d16.pth", config=_var(16, 5), tokenizer="var")
class VarDistilled(Distilled):
    """680 latents of ten scales, in raster order each, summed up by VAR's residual quantiser."""

    wrapping: ClassVar[tuple[str, ...]] = ("trainer.ema_parameters", "trainer.var_wo_ddp")
    unused: ClassVar[tuple[str, ...]] = (r"^lvl_1L$", r"^attn_bias_for_masking$", r"\.zero_k_bias$")
    float32: ClassVar[str] = r"^(head|final_layer_conti)"

    @classmethod
    def build(cls, config: DistilledConfig) -> nn.Module:
        """VAR's network with the official names."""
        return DistilledVarNet(config.net)  # type: ignore[arg-type]

    def setup(self) -> None:
        """Places of all scales."""
        super().setup()
        net: Any = self.config.net
        self.scales, self.dim = net.scales, net.dim
        self.places = sum(side * side for side in self.scales)

    def features(self, latents: Tensor, network: Any) -> Tensor:
        """What all scales add up to."""
        parts = torch.split(latents, [side * side for side in self.scales], 1)
        maps = [on_grid(part, side) for part, side in zip(parts, self.scales, strict=True)]
        found: Tensor = network.quantize.summed(maps, self.scales)
        return found


@register(
    "llamagen-dd-l",
    weights="llamagen-L.pt",
    config=DistilledConfig(LlamaGenConfig(*SIZES["l"]), 130, 80),
    tokenizer="llamagen-vq16",
)
@register(
    "llamagen-dd-b",
    weights="llamagen-B.pt",
    config=DistilledConfig(LlamaGenConfig(*SIZES["b"]), 80, 80),
    tokenizer="llamagen-vq16",
)
class LlamaGenDistilled(Distilled):
    """256 latents in raster order."""

    wrapping: ClassVar[tuple[str, ...]] = ("ema", "model", "module", "state_dict")
    unused: ClassVar[tuple[str, ...]] = (r"^freqs_cis$",)

    @classmethod
    def build(cls, config: DistilledConfig) -> nn.Module:
        """LlamaGen's network with the official names."""
        return DistilledLlamaGenNet(config.net, config.dim)  # type: ignore[arg-type]

    def setup(self) -> None:
        """Places of the raster."""
        super().setup()
        net: Any = self.config.net
        self.grid, self.places, self.dim = int(net.grid), net.grid**2, self.config.dim

    def features(self, latents: Tensor, network: Any) -> Tensor:
        """The map of the raster."""
        return on_grid(latents, self.grid)
