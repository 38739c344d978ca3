"""Continuous autoencoders through diffusers' AutoencoderKL: the ceiling that discrete tokenizers are measured against."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError, MissingDependency, WeightsError
from evalkit.tokenizers.base import Codes, NetworkTokenizer
from evalkit.tokenizers.registry import register


@dataclass(frozen=True)
class VaeConfig:
    """Latent channels and stride; `half`: whether float16 works (SDXL's activations overflow in it)."""

    channels: int = 4
    stride: int = 8
    native: int = 512
    half: bool = True


def read_folder(path: Path, wanted: str) -> dict[str, Any]:
    """config.json of a diffusers or transformers model folder, checked to be of the class `wanted`."""
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        found = config.get("_class_name") or (config.get("architectures") or ["an unnamed class"])[0]
    except (OSError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path.name} has no readable config.json ({error}); give the model's whole folder") from None
    if found != wanted:
        raise WeightsError(f"{path.name} holds a {found}, {wanted} expected; give the folder of the right model")
    return dict(config)


@register("flux-vae", weights="flux-vae", config=VaeConfig(channels=16, native=1024))
@register("sd3-vae", weights="sd3-vae", config=VaeConfig(channels=16, native=1024))
@register("sdxl-vae", weights="sdxl-vae", config=VaeConfig(native=1024, half=False))
@register("sd-vae-ft-ema", weights="sd-vae-ft-ema", config=VaeConfig())
@register("sd-vae-ft-mse", weights="sd-vae-ft-mse", config=VaeConfig())
class DiffusersVae(NetworkTokenizer):
    """Latents are the posterior's mode, unscaled: [B, channels, H/8, W/8]; any sides that are multiples of 8."""

    library_class: ClassVar[str] = "AutoencoderKL"
    config: VaeConfig
    network: Any

    @classmethod
    def build(cls, config: VaeConfig) -> nn.Module:
        """Its architecture is the folder's config.json, so it cannot be built without one."""
        raise EvalkitError(f"{cls.library_class} is built from its folder; use load_tokenizer(name, weights=FOLDER)")

    @classmethod
    def load_network(cls, name: str, config: VaeConfig, path: Path) -> nn.Module:
        """The diffusers model of the folder `path`, from its safetensors file only."""
        try:
            import diffusers
        except ImportError:
            raise MissingDependency(name, "hf") from None
        stated = read_folder(path, cls.library_class)
        if stated.get("latent_channels") != config.channels:
            raise WeightsError(
                f"{path.name} has {stated.get('latent_channels')} latent channels, {name} has {config.channels}; "
                f"give the folder that `evalkit weights list {name}` names"
            )
        try:
            network: nn.Module = getattr(diffusers, cls.library_class).from_pretrained(
                path, local_files_only=True, use_safetensors=True
            )
        except Exception as error:  # the library raises many kinds for a damaged or foreign file
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise WeightsError(f"{path.name} cannot be loaded as {name}: {reason}") from None
        return network.float()

    def setup(self) -> None:
        """Size follows from the configuration; a precision that gives NaN is refused."""
        self.multiple, self.native_size = self.config.stride, self.config.native
        if self.dtype == torch.float16 and not self.config.half:
            raise EvalkitError(f"{self.name} gives NaN in float16; give --dtype bfloat16 or float32")

    def tokens_per_image(self, height: int, width: int) -> int:
        """One latent vector for each stride x stride block."""
        return (height // self.multiple) * (width // self.multiple)

    def _encode(self, x: Tensor) -> Codes:
        return Codes(latent=self.network.encode(x).latent_dist.mode().float())

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        out: Tensor = self.network.decode(codes.values.to(self.device)).sample
        return out
