"""What a runner of one code after another says of several positions at once: the ground of every draft-and-verify loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from evalkit.generators.base import LogitsProcessor, Request, Step
from evalkit.generators.sampling import Sampler


class Growing(Protocol):
    """Images [B] that grow code by code, with a cache behind them."""

    def first(self) -> Tensor:
        """float32 [B, V]: logits of the first code."""

    def block(self, codes: Tensor, start: int) -> Tensor:
        """float32 [B, n, V]: logits behind codes [B, n] from position `start` on; what stood there is forgotten."""


@runtime_checkable
class AheadRunner(Protocol):
    """A runner whose images can grow by any number of codes at a time."""

    name: str
    tokens_per_image: int
    vocab_size: int
    logits_processors: list[LogitsProcessor]

    @property
    def one_by_one(self) -> bool:
        """Whether its own loop draws one code after the other."""

    def encode_conditions(self, requests: Sequence[Request]) -> Tensor:
        """What `decoding` takes."""

    def null(self, conditions: Tensor) -> Tensor:
        """The conditions of the unconditional branch."""

    def decoding(self, conditions: Tensor) -> Growing:
        """Images without a code yet."""


class Ahead:
    """One image of one runner: logits after guidance and processors, as its own loop would have them.

    `processors` are those of the runner that is accelerated, for drafts too. `evaluations` counts passes of the network.
    """

    def __init__(
        self, runner: AheadRunner, request: Request, sampler: Sampler, processors: Sequence[LogitsProcessor]
    ) -> None:
        conditions = runner.encode_conditions([request])
        self.guided = not sampler.guidance.off
        both = torch.cat([conditions, runner.null(conditions)]) if self.guided else conditions
        self.growing, self.branches = runner.decoding(both), len(both)
        self.total, self.seed = runner.tokens_per_image, request.seed
        self.sampler, self.processors = sampler, processors
        self.evaluations = self.known = 0
        self.begun: Tensor | None = None

    def forget(self, count: int) -> None:
        """Only the first `count` codes stand; what was read behind them does not."""
        self.known = min(self.known, count)

    def logits(self, codes: Tensor, count: int) -> Tensor:
        """float32 [count, V]: logits of the last `count` positions up to the one behind `codes` [m].

        Reads the codes that it has not read yet, in one pass.
        """
        if self.begun is None:
            self.begun = self.growing.first()
            self.evaluations += 1
        m = len(codes)
        if m == 0:
            return self._chosen(self.begun[:, None], codes)
        fresh = codes[self.known :].expand(self.branches, -1)
        raw = self.growing.block(fresh, self.known)[:, -count:]
        self.evaluations += 1
        self.known = m
        return self._chosen(raw, codes)

    def _chosen(self, raw: Tensor, codes: Tensor) -> Tensor:
        """[n, V] from the branches' logits [branches, n, V] of the last n positions up to the one behind `codes`."""
        places = range(len(codes) + 1 - raw.shape[1], len(codes) + 1)
        logits = self._guided(raw, places)[None] if self.guided else raw
        if not self.processors:
            return logits[0]
        parts = []
        for i, place in enumerate(places):
            part, step = logits[:, i : i + 1], Step(place, range(place, place + 1), codes[None, :place], (self.seed,))
            for processor in self.processors:
                part = processor(part, step)
            parts.append(part[0])
        return torch.cat(parts)

    def _guided(self, raw: Tensor, places: range) -> Tensor:
        """[n, V]; positions with the same scale are combined together."""
        guidance, end = self.sampler.guidance, max(self.total - 1, 1)
        on = [place == 0 or guidance.active(place - 1) for place in places]
        if all(on) and len({guidance.at(place / end) for place in places}) == 1:
            return guidance.combine(raw[0], raw[1], places[0] / end)
        parts = [
            guidance.combine(raw[0, i], raw[1, i], place / end) if on[i] else raw[0, i]
            for i, place in enumerate(places)
        ]
        return torch.stack(parts)
