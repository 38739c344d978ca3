"""Generators of continuous latents behind an autoencoder: what MAR and xAR share."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from evalkit.generators.base import Generator, Image, Request, in_rows
from evalkit.generators.network import load_official
from evalkit.generators.pixels import to_uint8
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import load_tokenizer


class LatentDrawing(Protocol):
    """Another way to draw latents than a runner's own loop, such as continuous speculative decoding."""

    def latents(self, requests: Sequence[Request], sampler: Sampler) -> tuple[Tensor, list[dict[str, Any]]]:
        """(latents [B, c, h, w], what the manifest keeps of each image, its `target_evaluations` among it)."""


SCALE = 0.2325  # these models' latents are the autoencoder's times this


class LatentGenerator(Generator):
    """A generator of continuous latents behind the KL-16 autoencoder; a family gives `build`, `_latents` and its draws."""

    wrapping: ClassVar[tuple[str, ...]] = ("model_ema", "model")
    unused: ClassVar[tuple[str, ...]] = ()
    drawing: LatentDrawing | None = None  # in place of `_latents`
    takes = frozenset({"guidance", "temperature", "steps"})

    def __init__(self, source: Source, network: nn.Module) -> None:
        self.name, self.config, self.source = source.name, source.config, source
        self.device, self.dtype, self.tokenizer_name = source.device, source.dtype, source.tokenizer
        self.network = network.eval().requires_grad_(False).to(device=source.device)
        if source.device.type == "cpu":
            self.rows = 1  # with several threads, products of some processors round by the row that a request is in
        self._tokenizer: Tokenizer | None = None

    @classmethod
    @abstractmethod
    def build(cls, config: Any) -> nn.Module:
        """The network with the official names."""

    @classmethod
    def load(cls, source: Source) -> LatentGenerator:
        """The runner with the weights of its official file (the running mean of the weights)."""
        from evalkit.weights.layout import without_init

        with without_init():
            network = cls.build(source.config)
        digest = load_official(source, network, cls.wrapping, (), cls.unused)
        made = cls(source, network)
        made.weights_sha256 = digest
        return made

    @property
    def tokenizer(self) -> Tokenizer:
        """The autoencoder; loaded when the first image is decoded."""
        if self._tokenizer is None:
            given = self.source.tokenizer_weights
            if given is None and self.source.weights is not None and Path(self.source.weights).is_dir():
                given = self.source.weights
            self._tokenizer = load_tokenizer(self.source.tokenizer or "", given, str(self.device))
        return self._tokenizer

    def latents(self, requests: Sequence[Request]) -> Tensor:
        """float32 [B, c, h, w]: the latents of each request before decoding."""

        def drawn(rows: Sequence[Request], sampler: Sampler) -> list[Tensor]:
            return list(self._drawn(rows, sampler)[0])

        return torch.stack(in_rows(requests, self.rows, self.default_sampler, drawn, self.alike))

    @abstractmethod
    def _latents(self, requests: Sequence[Request], sampler: Sampler) -> Tensor:
        """The latents of exactly `rows` requests."""

    def _drawn(self, requests: Sequence[Request], sampler: Sampler) -> tuple[Tensor, list[dict[str, Any]]]:
        if self.drawing is not None:
            return self.drawing.latents(requests, sampler)
        return self._latents(requests, sampler), [{} for _ in requests]

    @abstractmethod
    def evaluations(self, sampler: Sampler) -> int:
        """Runs of the network for one image."""

    def _generate(self, requests: Sequence[Request], sampler: Sampler) -> list[Image]:
        started = time.perf_counter()
        latents, told = self._drawn(requests, sampler)
        model = self.tokenizer
        pictures = to_uint8(model.decode(model.codes(latent=latents / SCALE)), "round")
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            Image(
                request.id,
                np.ascontiguousarray(pixels),
                seconds,
                notes.get("target_evaluations", self.evaluations(sampler)),
                {"acceleration": notes} if notes else {},
            )
            for request, pixels, notes in zip(requests, pictures, told, strict=True)
        ]

    def _autocast(self) -> torch.autocast:
        low = self.dtype in (torch.bfloat16, torch.float16)
        return torch.autocast(torch.device(self.device).type, dtype=self.dtype if low else None, enabled=low)
