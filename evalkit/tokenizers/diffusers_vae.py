"""Continuous autoencoders through diffusers' AutoencoderKL: the ceiling that discrete tokenizers are measured against."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.library import LibraryTokenizer, check_setting
from evalkit.tokenizers.registry import register

# attention as diffusers before 0.16 named it; files of that time carry these names and 1x1 convolutions
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


@dataclass(frozen=True)
class VaeConfig:
    """Latent channels and stride; `half`: whether float16 works (SDXL's activations overflow in it)."""

    channels: int = 4
    stride: int = 8
    native: int = 512
    half: bool = True


@register("flux-vae", weights="flux-vae", config=VaeConfig(channels=16, native=1024))
@register("sd3-vae", weights="sd3-vae", config=VaeConfig(channels=16, native=1024))
@register("sdxl-vae", weights="sdxl-vae", config=VaeConfig(native=1024, half=False))
@register("sd-vae-ft-ema", weights="sd-vae-ft-ema", config=VaeConfig())
@register("sd-vae-ft-mse", weights="sd-vae-ft-mse", config=VaeConfig())
class DiffusersVae(LibraryTokenizer):
    """Latents are the posterior's mode, unscaled: [B, channels, H/8, W/8]; any sides that are multiples of 8."""

    library_class: ClassVar[str] = "AutoencoderKL"
    config: VaeConfig

    @classmethod
    def check_settings(cls, name: str, config: VaeConfig, stated: Mapping[str, Any], path: Path) -> None:
        """Raise `WeightsError` where the number of latent channels is another model's."""
        check_setting(name, path, stated, "latent_channels", "latent channels", config.channels)

    @classmethod
    def official_state(cls, checkpoint: dict[str, Any], network: nn.Module) -> dict[str, Tensor]:
        """Attention parameters under their present names and shapes."""
        return modern_attention(checkpoint, network)

    def setup(self) -> None:
        """Size follows from the configuration; a precision that gives NaN is refused."""
        self.multiple, self.native_size = self.config.stride, self.config.native
        if self.dtype == torch.float16 and not self.config.half:
            raise EvalkitError(f"{self.name} gives NaN in float16; give --dtype bfloat16 or float32")

    def _encode(self, x: Tensor) -> Codes:
        return Codes(latent=self.network.encode(x).latent_dist.mode().float())

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        out: Tensor = self.network.decode(codes.values.to(self.device)).sample
        return out


def modern_attention(checkpoint: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Attention of files from before diffusers 0.16 under its present names, 1x1 convolutions as matrices."""
    wanted = network.state_dict()
    state = {}
    for key, value in checkpoint.items():
        new = re.sub(r"\.(query|key|value|proj_attn)\.(?=\w+$)", lambda m: f".{OLD_ATTENTION[m[1]]}.", key)
        if new in wanted and value.ndim == 4 and wanted[new].ndim == 2 and value.shape[2:] == (1, 1):
            value = value[:, :, 0, 0]
        state[new] = value
    return state
