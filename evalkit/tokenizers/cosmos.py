"""Cosmos discrete image tokenizers (NVIDIA/Cosmos-Tokenizer), which are published as TorchScript programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evalkit.errors import WeightsError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register
from evalkit.weights.programs import check_consent

CODES = 64000  # finite scalar quantisation with 8, 8, 8, 5, 5, 5 levels


@dataclass(frozen=True)
class CosmosConfig:
    """Pixels a side of one code."""

    stride: int


class Programs(nn.Module):
    """The two programs of a folder."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder


@register("cosmos-di8", weights="cosmos-di8", config=CosmosConfig(8))
@register("cosmos-di16", weights="cosmos-di16", config=CosmosConfig(16))
class Cosmos(NetworkTokenizer):
    """encoder.jit and decoder.jit, in the precision they were saved in (bfloat16), whatever `dtype` says.

    A TorchScript file is a program, run by torch's own interpreter: it holds no Python to import or unpickle, but it can
    open files. So a program is run only where its sha256 is known or named in EVALKIT_TRUST_TORCHSCRIPT.
    """

    config: CosmosConfig
    network: Programs

    @classmethod
    def outline(cls, name: str, config: CosmosConfig, path: Path) -> nn.Module:
        """Nothing is known of a program before it is loaded, but that it may be run."""
        check_consent(name, path)
        return Programs(nn.Identity(), nn.Identity())

    @classmethod
    def load_network(cls, name: str, config: CosmosConfig, path: Path) -> nn.Module:
        """The programs of the folder `path`; raises `WeightsError` where a file is no TorchScript."""
        check_consent(name, path)
        load: Any = torch.jit.load  # untyped in torch
        programs = []
        for file in ("encoder.jit", "decoder.jit"):
            try:
                programs.append(load(str(path / file), map_location="cpu"))
            except (RuntimeError, ValueError, OSError) as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
                raise WeightsError(f"{file} is no whole TorchScript file: {reason}. Fetch the folder again") from None
        return Programs(*programs)

    def setup(self) -> None:
        """The programs set their own precision, so autocast stays off."""
        self.vocab_size, self.multiple, self.dtype = CODES, self.config.stride, torch.float32
        self.precision = next((p.dtype for p in self.network.parameters()), torch.float32)

    def _encode(self, x: Tensor) -> Codes:
        indices = self.network.encoder(x.to(self.precision))[0]  # the other outputs are its features and its loss
        expected = (x.shape[2] // self.multiple, x.shape[3] // self.multiple)
        if tuple(indices.shape[1:]) != expected:
            raise WeightsError(
                f"the encoder gives {tuple(indices.shape[1:])} codes for {tuple(x.shape[2:])} pixels, {self.name} has "
                f"{expected}; give the folder that `evalkit weights list {self.name}` names"
            )
        return Codes(indices=indices.long().flatten(1), grid=expected)

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        maps = codes.values.to(self.device, torch.int32).reshape(len(codes), *codes.map_grid())
        out: Tensor = self.network.decoder(maps)
        return out
