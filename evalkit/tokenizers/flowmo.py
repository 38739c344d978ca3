"""FlowMo, a diffusion autoencoder with binary codes (arXiv 2503.11056; kylesargent/FlowMo flowmo/models.py)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.flowmo import DoubleStream, FluxSize
from evalkit.tokenizers.registry import register
from evalkit.tokenizers.shapes import NoiseTokenizer


@dataclass(frozen=True)
class FlowSampler:
    """The official way from noise to an image (flowmo/configs/base.yaml, eval.sampling).

    Step i of `steps` starts at t = (1 - i/steps) ** `power`; guidance of strength `guidance` acts where t/(1 - t), the
    noise level as EDM counts it, lies in `interval`.
    """

    steps: int = 25
    power: float = 4.0
    guidance: float = 1.5
    interval: tuple[float, float] = (0.17, 1.02)

    def times(self) -> Tensor:
        """Float32 [steps + 1] from 1 down to 0."""
        left: Tensor = torch.arange(self.steps, -1, -1).pow(self.power)
        return left / math.pow(self.steps, self.power)

    def guided(self, t: float) -> bool:
        """Whether the step that starts at `t` is guided."""
        low, high = (level / (1 + level) for level in self.interval)
        return self.guidance != 1.0 and low <= t <= high


ENCODER, DECODER = FluxSize(768, 8, (8, 28, 28)), FluxSize(1152, 16, (12, 42, 42))


@dataclass(frozen=True)
class FlowMoConfig:
    """Sizes; each of the `slots` code vectors has `code_dim` signs, read as code_dim / bits indices of `bits` bits."""

    code_dim: int
    bits: int
    slots: int = 256
    patch: int = 4
    size: int = 256
    encoder: FluxSize = ENCODER
    decoder: FluxSize = DECODER
    sampler: FlowSampler = FlowSampler()


class FlowMoNetwork(nn.Module):
    """The encoder of images, and the decoder, which gives velocities and whose code has one channel more, of ones."""

    def __init__(self, config: FlowMoConfig) -> None:
        super().__init__()
        self.encoder = DoubleStream(config.encoder, config.code_dim, config.patch)
        self.decoder = DoubleStream(config.decoder, config.code_dim + 1, config.patch)


@register("flowmo-hi", weights="flowmo-hi", config=FlowMoConfig(code_dim=56, bits=14))
@register("flowmo-lo", weights="flowmo-lo", config=FlowMoConfig(code_dim=18, bits=9))
class FlowMo(NoiseTokenizer):
    """FlowMo at 256 px; the decoder starts from noise that `seed` draws, alike for every image of a batch.

    Bits, where they are given instead of indices, are [B, slots, code_dim] in the channel order of the code.
    """

    wrapping: ClassVar[tuple[str, ...]] = ("model_ema_state_dict",)
    architecture = FlowMoNetwork
    config: FlowMoConfig
    network: FlowMoNetwork

    def setup(self) -> None:
        """Vocabulary and side follow from the configuration."""
        self.vocab_size, self.bits_of_index = 2**self.config.bits, self.config.bits
        self.native_size = self.config.size
        self.multiple = self.config.patch

    def tokens_per_image(self, height: int, width: int) -> int:
        """The same number for every image."""
        return self.config.slots * self.config.code_dim // self.config.bits

    def prequant(self, images: Tensor) -> Tensor:
        """The encoder's code before its signs are taken: float32 [B, slots, code_dim] of [B, 3, H, W] in [0, 1]."""
        self.check_size(int(images.shape[2]), int(images.shape[3]))
        with torch.inference_mode(), self._exact():
            return self._prequant(images.to(self.device, torch.float32) * 2 - 1)

    def velocity(self, codes: Codes, state: Tensor, t: float) -> Tensor:
        """Velocity float32 [B, 3, H, W], without guidance, of `state` on the [-1, 1] scale at time `t` in [0, 1]."""
        with torch.inference_mode(), self._autocast():
            return self._velocity(self.signs(codes), state.to(self.device, torch.float32), t)

    def signs(self, codes: Codes) -> Tensor:
        """The decoder's condition float32 [B, slots, code_dim + 1]: -1 or 1, and a channel of ones."""
        slots, dim, bits = self.config.slots, self.config.code_dim, self.config.bits
        given = codes.values.to(self.device)
        expected = (slots, dim) if codes.indices is None else (self.tokens_per_image(0, 0),)
        if codes.latent is not None or tuple(given.shape[1:]) != expected:
            raise EvalkitError(
                f"{self.name} decodes indices [B, {self.tokens_per_image(0, 0)}] or bits [B, {slots}, {dim}]; "
                f"codes of shape {tuple(given.shape)} given"
            )
        if codes.indices is not None:  # bit d of index n*k + j of an image is channel d*k + j of slot n
            given = (given[:, :, None] >> torch.arange(bits, device=self.device)) & 1
            given = given.reshape(-1, slots, dim // bits, bits).transpose(2, 3).reshape(-1, slots, dim)
        return torch.cat((given.float() * 2 - 1, given.new_ones(*given.shape[:2], 1).float()), dim=-1)

    def _prequant(self, x: Tensor) -> Tensor:
        return self.network.encoder.read_code(x, self.config.slots)

    def _velocity(self, condition: Tensor, state: Tensor, t: float) -> Tensor:
        return self.network.decoder.velocity(state, condition, state.new_full((state.shape[0],), t))

    def _encode(self, x: Tensor) -> Codes:
        slots, bits = self.config.slots, self.config.bits
        positive = (self._prequant(x) > 0).reshape(len(x), slots, bits, -1).transpose(2, 3)  # [B, slots, k, bits]
        places = 2 ** torch.arange(bits, device=x.device)
        return Codes(indices=(positive * places).sum(-1).flatten(1))

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        condition, sampler = self.signs(codes), self.config.sampler
        state = self._start(len(codes), seed, noise)
        times = sampler.times()
        for t, step in zip(times[:-1].tolist(), (times[:-1] - times[1:]).tolist(), strict=True):
            speed = self._velocity(condition, state, t)
            if sampler.guided(t):
                free = self._velocity(torch.zeros_like(condition), state, t)
                speed = free + sampler.guidance * (speed - free)
            state = state - step * speed
        return state.clamp(-1, 1)  # as the official `reconstruct` does
