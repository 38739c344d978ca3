"""Generators of continuous latents behind an autoencoder: what MAR and xAR share."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from evalkit.generators.base import Generator, Image, Request, in_rows
from evalkit.generators.network import OfficialNetwork
from evalkit.generators.pixels import to_uint8
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels


class LatentDrawing(Protocol):
    """Another way to draw latents than a runner's own loop, such as continuous speculative decoding."""

    def latents(self, requests: Sequence[Request], sampler: Sampler) -> tuple[Tensor, list[dict[str, Any]]]:
        """(latents [B, c, h, w], what the manifest keeps of each image, its `target_evaluations` among it)."""


SCALE = 0.2325  # these models' latents are the autoencoder's times this


class LatentGenerator(OfficialNetwork, Generator):
    """A generator of continuous latents behind the KL-16 autoencoder; a family gives `_latents` and its draws."""

    wrapping: ClassVar[tuple[str, ...]] = ("model_ema", "model")  # the running mean of the weights first
    drawing: LatentDrawing | None = None  # in place of `_latents`
    takes = frozenset({"guidance", "temperature", "steps"})

    rows = rows_on_cpu = 1  # with several threads, products of some processors round by the row that a request is in
    places: int  # of the transformers' longest sequence

    def row_bytes(self) -> int:
        """Some twelve tensors of the feed-forward layers' width, for both branches of guidance."""
        return 2 * 12 * self.places * 4 * int(self.config.width) * 4

    def latents(self, requests: Sequence[Request]) -> Tensor:
        """float32 [B, c, h, w]: the latents of each request before decoding."""

        def drawn(rows: Sequence[Request], sampler: Sampler) -> list[Tensor]:
            return list(self._drawn(rows, sampler)[0])

        return torch.stack(in_rows(requests, self.rows, self.default_sampler, drawn, self.alike))

    @abstractmethod
    def _latents(self, requests: Sequence[Request], sampler: Sampler) -> Tensor:
        """The latents of at most `rows` requests."""

    def _drawn(self, requests: Sequence[Request], sampler: Sampler) -> tuple[Tensor, list[dict[str, Any]]]:
        if self.drawing is not None:
            return self.drawing.latents(requests, sampler)
        return self._latents(requests, sampler), [{} for _ in requests]

    def _pixels(self, latents: Tensor) -> list[Pixels]:
        model = self.tokenizer
        with torch.inference_mode(), self._autocast():  # as the official scripts do
            each = [model.decode(model.codes(latent=one / SCALE)).float() for one in latents[:, None]]
        return [image for one in each for image in to_uint8(one, "round")]

    @abstractmethod
    def evaluations(self, sampler: Sampler) -> int:
        """Runs of the network for one image."""

    def _generate(self, requests: Sequence[Request], sampler: Sampler) -> list[Image]:
        started = time.perf_counter()
        latents, told = self._drawn(requests, sampler)
        images = self._pixels(latents)
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            Image(
                request.id,
                np.ascontiguousarray(pixels),
                seconds,
                notes.get("target_evaluations", self.evaluations(sampler)),
                {"acceleration": notes} if notes else {},
            )
            for request, pixels, notes in zip(requests, images, told, strict=True)
        ]


Draw = Callable[[int], Tensor]  # number of latents a row -> standard normal [B, number, c]


def staged(draw: Draw, count: int, times: int, device: torch.device | str) -> Callable[[], Tensor]:
    """Gives what `draw(count)` gives `times` times, brought to the device at once."""
    noise = iter(torch.stack([draw(count) for _ in range(times)]).to(device, non_blocking=True))
    return lambda: next(noise)


def guided(
    told: Callable[..., Tensor], off: bool, conditions: Tensor, nothing: int, *rest: Tensor
) -> tuple[Tensor, Tensor | None]:
    """What is told under the conditions [B] and, for guidance, under the class id `nothing`, in one batch.

    `rest`: what both halves are told about, [B, ...] each.
    """
    if off:
        return told(conditions, *rest), None
    both = torch.cat([conditions, torch.full_like(conditions, nothing)])
    z, free = told(both, *(torch.cat([each, each]) for each in rest)).chunk(2)
    return z, free


def known_places(masked: Tensor) -> Tensor:
    """int64 [B, n]: where `masked` [B, L] is 0, ascending; rows hide equally many."""
    count = masked.shape[1] - int(masked[0].count_nonzero())
    return masked.ne(0).to(torch.int8).sort(dim=1, stable=True).indices[:, :count]
