"""Tiny models for acceleration: targets, smaller drafts of the same codes, a codebook."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from evalkit.generators.base import Request
from evalkit.generators.dar_gpt import DarGpt, DarGptConfig
from evalkit.generators.gigatok_gpt import GigaTokGpt, GigaTokGptConfig
from evalkit.generators.guidance import Guidance
from evalkit.generators.hita_gpt import HitaGpt, HitaGptConfig
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler
from evalkit.tokenizers.base import Codes, Tokenizer


class Table(nn.Module):
    """A codebook beside nothing else."""

    def __init__(self, codebook: Tensor) -> None:
        super().__init__()
        self.codebook = codebook


class Colours(Tokenizer):
    """Decodes each code to a grey block; its codebook is random."""

    name, multiple, deterministic = "colours", 1, True

    def __init__(self, codes: int) -> None:
        self.vocab_size = codes
        self.network = Table(torch.randn(codes, 4, generator=torch.Generator().manual_seed(5)))

    def tokens_per_image(self, height: int, width: int) -> int:
        return height * width

    def encode(self, images: Tensor) -> Codes:
        raise NotImplementedError

    def decode(self, codes: Codes, *, seed: int = 0, noise: Tensor | None = None) -> Tensor:
        side = int(codes.values.shape[1] ** 0.5)
        grey = codes.values.double().view(-1, 1, side, side) / self.vocab_size
        return grey.float().repeat(1, 3, 1, 1)


SIZE = {"heads": 2, "width": 16, "classes": 5}


class Tiny:
    """Makes models with random weights, and requests."""

    greedy = Sampler(Guidance("llamagen", 2.0), top_k=1)
    families = ("llamagen", "d-ar", "gigatok", "gigatok-shared", "hita")

    def llama(self, seed: int = 0, *, codes: int = 24, grid: int = 3, layers: int = 2, spread: float = 0.3) -> LlamaGen:
        """LlamaGen with grid x grid codes."""
        config = LlamaGenConfig(layers=layers, grid=grid, codes=codes, **SIZE)
        return self.filled(LlamaGen, config, seed, spread)

    def family(self, name: str, seed: int = 0) -> NextTokenGenerator:
        """Eight or nine codes out of 24."""
        common = {"layers": 2, "codes": 24, **SIZE}
        made = {
            "llamagen": (LlamaGen, lambda: LlamaGenConfig(grid=3, **common)),
            "d-ar": (DarGpt, lambda: DarGptConfig(tokens=9, **common)),
            "gigatok": (GigaTokGpt, lambda: GigaTokGptConfig(tokens=9, **common)),
            "gigatok-shared": (GigaTokGpt, lambda: GigaTokGptConfig(tokens=9, adaptive="shared", plain=1, **common)),
            "hita": (HitaGpt, lambda: HitaGptConfig(slots=4, grid=2, **common)),
        }
        cls, config = made[name]
        return self.filled(cls, config(), seed, 0.3)

    def filled(self, cls: type, config: object, seed: int, spread: float) -> object:
        """The model of a class and configuration."""
        torch.manual_seed(seed)
        network = cls.build(config)
        for tensor in network.state_dict().values():
            tensor.normal_(std=spread)
        source = Source(f"tiny-{seed}", config, None, "colours", None, None, torch.device("cpu"), torch.float32)
        made = cls(source, network)
        made._tokenizer = Colours(config.codes)
        return made

    def asked(self, count: int, sampler: Sampler | None = None) -> list[Request]:
        """Requests of alternating classes."""
        return [Request(str(i), class_id=i % 5, seed=100 + i, sampler=sampler) for i in range(count)]


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    return Tiny()
