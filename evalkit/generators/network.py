"""What native runners share: official checkpoints, the tokenizer beside them, and precision."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.generators.base import CodingGenerator
from evalkit.generators.registry import Source
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import load_tokenizer

LOGIT = 64  # bytes that sampling takes for a logit: both branches, sorted, in double precision, summed up


def load_official(
    source: Source, network: nn.Module, wrapping: tuple[str, ...], prefixes: tuple[str, ...], unused: tuple[str, ...]
) -> str:
    """Fill `network` from the source's official file and return the file's sha256; raises `WeightsError`."""
    from evalkit.weights.find import find_weights
    from evalkit.weights.layout import fit, unwrap
    from evalkit.weights.reading import file_sha256, read_checkpoint

    path = find_weights(source.weights_key or "", source.weights)
    state = unwrap(read_checkpoint(path), wrapping, prefixes)
    fit(network, state, path, source.name, unused=unused)
    return file_sha256(path)


class OfficialNetwork:
    """A torch network with an official checkpoint, and the tokenizer that decodes what it makes.

    A family gives `architecture` (or `build`). The tokenizer is loaded when the first image is decoded.
    """

    architecture: ClassVar[type[nn.Module] | None] = None  # its parameter names are the official checkpoint's keys
    wrapping: ClassVar[tuple[str, ...]] = ()  # top-level keys that the official loader tries, in its order
    prefixes: ClassVar[tuple[str, ...]] = ()
    unused: ClassVar[tuple[str, ...]] = ()
    float32: ClassVar[str] = r"^$"  # modules that work in float32 where the others do not
    device: torch.device | str
    weights_sha256: str | None

    def __init__(self, source: Source, network: nn.Module) -> None:
        self.name, self.config, self.source = source.name, source.config, source
        self.device, self.dtype, self.tokenizer_name = source.device, source.dtype, source.tokenizer
        network = network.eval().requires_grad_(False)
        if self.low:
            self.lower(network)  # before it moves, and once instead of at every call
        self.network = network.to(device=source.device)
        self._tokenizer: Tokenizer | None = None
        self.setup()

    @classmethod
    def build(cls, config: Any) -> nn.Module:
        """The network without its weights."""
        if cls.architecture is None:
            raise EvalkitError(f"{cls.__name__} builds no network; give it an architecture")
        return cls.architecture(config)

    @classmethod
    def load(cls, source: Source) -> Self:
        """The runner with the weights of its official file."""
        from evalkit.weights.layout import without_init

        with without_init():
            network = cls.build(source.config)
        digest = load_official(source, network, cls.wrapping, cls.prefixes, cls.unused)
        made = cls(source, network)
        made.weights_sha256 = digest
        return made

    def lower(self, network: nn.Module) -> None:
        """Give the weights of matrix products lower precision, in which autocast would bring them at every call."""
        for name, module in network.named_modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d) and not re.search(self.float32, name):
                module.to(self.dtype)

    def setup(self) -> None:
        """Set what follows from `config` (vocab_size, tokens_per_image, side, default_sampler)."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that decodes the codes; loaded on first use. Raises `WeightsError` where it cannot be had."""
        if self._tokenizer is None:
            given = self.source.tokenizer_weights
            if given is None and self.source.weights is not None and Path(self.source.weights).is_dir():
                given = self.source.weights
            self._tokenizer = load_tokenizer(self.source.tokenizer or "", given, str(self.device))
        return self._tokenizer

    @property
    def low(self) -> bool:
        """Whether products are made in lower precision."""
        return self.dtype in (torch.bfloat16, torch.float16)

    def _autocast(self) -> torch.autocast:
        low = self.low
        return torch.autocast(torch.device(self.device).type, dtype=self.dtype if low else None, enabled=low)


class NetworkTokenGenerator(OfficialNetwork, CodingGenerator):
    """A network over discrete codes; a family also gives the methods of `TokenGenerator` but `_pixels`."""

    def __init__(self, source: Source, network: nn.Module) -> None:
        self.logits_processors = []
        super().__init__(source, network)

    def _cache_bytes(self, layers: int, width: int, length: int) -> int:
        """Bytes of the keys and values of `length` positions, for both branches of guidance."""
        return 2 * 2 * layers * width * length * (2 if self.low else 4)

    def compile(self) -> None:
        """Let torch compile the network's blocks at their first use."""
        for name, part in self.network.named_children():
            if isinstance(part, nn.ModuleList):
                for index, block in enumerate(part):
                    part[index] = cast(nn.Module, torch.compile(block))
            elif any(True for _ in part.parameters()):
                setattr(self.network, name, torch.compile(part))

    def _decode(self, tokens: Tensor, seeds: tuple[int, ...], grid: tuple[int, int] | None = None) -> Tensor:
        """[B, 3, H, W] on the [0, 1] scale; stochastic decoders draw each image's noise from its own seed."""
        model = self.tokenizer
        if model.deterministic:
            return model.decode(model.codes(indices=tokens, grid=grid))
        rows = [
            model.decode(model.codes(indices=row[None], grid=grid), seed=s)
            for row, s in zip(tokens, seeds, strict=True)
        ]
        return torch.cat(rows)

    def _pixels(self, tokens: Tensor, seeds: tuple[int, ...]) -> list[Pixels]:
        from evalkit.generators.pixels import to_uint8

        return to_uint8(self._decode(tokens, seeds), "round")
