"""HACK: fewer keys and values for next-scale models, by class of head (arXiv 2504.09261; no code of it is public).

What the paper leaves to its code is decided here: the class is found from the variance over queries of the attention that
a key draws; the `share` of all heads that varies least is contextual. Keys that are not kept are dropped; the paper also
merges some of them into those that stay, which is not done here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.nets.head_budgets import BudgetCache, Observer
from evalkit.generators.nets.next_scale import Cache, CachePlan, Seen
from evalkit.metrics.generation import KV_KEYS

SUBJECTS = (
    "a dog",
    "a red car",
    "two apples on a table",
    "a mountain lake",
    "a city street",
    "a woman reading",
    "a clock",
)


@dataclass(frozen=True)
class Hack:
    """`budget`: the share, of the keys that a plain run holds before its last scale, that a head keeps on average.

    `contextual`: the share that contextual heads keep at most, unless structural heads have all they want; `share` of all
    heads are contextual. `observed` queries of a scale measure attention; `samples` images are drawn to tell the classes.
    Budget 1 is the plain run. Raises `EvalkitError` for shares outside (0, 1].
    """

    budget: float
    contextual: float = 0.1
    share: float = 0.5
    observed: int = 32
    samples: int = 8

    def __post_init__(self) -> None:
        for name in ("budget", "contextual", "share"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise EvalkitError(f"hack: {name} is a share above 0, at most 1; {value:g} given, try hack:budget=0.5")
        if self.observed < 1 or self.samples < 1:
            raise EvalkitError(
                f"hack: observed and samples are 1 or more; {self.observed} and {self.samples} given, leave them out"
            )

    def keep(self, carried: int, share: float) -> tuple[int, int]:
        """Keys that a (contextual, structural) head keeps of `carried`, where `share` of the heads are contextual.

        >>> Hack(0.5).keep(424, 0.5), Hack(1.0).keep(424, 0.5)
        ((42, 382), (424, 424))
        """
        if share >= 1:
            return _keys(self.budget, carried), carried
        structural = min(1.0, (self.budget - share * min(self.contextual, self.budget)) / (1 - share))
        contextual = min(1.0, (self.budget - (1 - share) * structural) / share) if share else 1.0
        return _keys(contextual, carried), _keys(structural, carried)


class ScaleRunner(Protocol):
    """What is needed of a runner: its loop asks `new_cache` of `plan`, where there is one, for each batch."""

    plan: CachePlan | None

    def sample_tokens(self, requests: Sequence[Request]) -> Tensor:
        """Codes of the requests."""


class Observing:
    """The plan that measures heads: plain caches with an `Observer` on top."""

    def __init__(self, observed: int) -> None:
        self.observed = observed
        self.seen: list[Observer] = []

    def new_cache(self, plain: Callable[[], Cache], lengths: tuple[int, ...]) -> Seen:
        """A whole cache that is watched."""
        self.seen.append(Observer(plain(), self.observed))
        return self.seen[-1]

    def spread(self) -> Tensor:
        """[layers, H] over all that was drawn."""
        return torch.stack([each.spread / max(each.scales, 1) for each in self.seen]).mean(0)


class Budgets:
    """The plan of a compressed run; it knows what its caches held at most."""

    def __init__(self, settings: Hack, contextual: Tensor) -> None:
        self.settings, self.contextual = settings, contextual
        self.made: list[BudgetCache] = []
        self.keys = self.bytes = 0  # of plain runs, before the last scale

    def new_cache(self, plain: Callable[[], Cache], lengths: tuple[int, ...]) -> Seen:
        """A cache with budgets, or `plain` where they leave nothing out."""
        carried = sum(lengths[:-1])
        self.keys = carried
        keep = self.settings.keep(carried, float(self.contextual.double().mean()))
        if min(keep) >= carried:
            cache = plain()
            self.bytes = max(self.bytes, cache.store.nbytes * carried // sum(lengths))
            return cache
        self.made.append(BudgetCache(self.contextual, keep, lengths, self.settings.observed))
        return self.made[-1]

    def report(self) -> dict[str, Any]:
        """Settings, kept keys and bytes beside those of a plain run, and whether the law of the images is the same.

        Bytes are those held between two scales for one batch (both branches of guidance), with what is noted of each key.
        """
        keys = max((each.peak_keys for each in self.made), default=float(self.keys))
        size = max((each.peak_bytes for each in self.made), default=self.bytes)
        plain = max((each.plain_bytes for each in self.made), default=self.bytes)
        return {
            "kind": "hack",
            **asdict(self.settings),
            "contextual_heads": int(self.contextual.sum()),
            "heads": self.contextual.numel(),
            KV_KEYS.name: keys,
            "kv_keys_plain": self.keys,
            "kv_bytes": size,
            "kv_bytes_plain": plain,
            "law": "changed" if self.made else "unchanged",
        }


def compress(runner: ScaleRunner, settings: Hack) -> Budgets:
    """Let `runner` draw with budgets from now on (`runner.plan` = None ends it); its heads are told apart first."""
    plan = Budgets(settings, contextual_heads(head_spread(runner, settings), settings.share))
    runner.plan = plan
    return plan


def head_spread(runner: ScaleRunner, settings: Hack) -> Tensor:
    """float64 [layers, H]: how much each head's attention differs from query to query, in `samples` images."""
    before, plan = runner.plan, Observing(settings.observed)
    runner.plan = plan
    try:
        runner.sample_tokens(calibration(runner, settings.samples))
    finally:
        runner.plan = before
    return plan.spread()


def contextual_heads(spread: Tensor, share: float) -> Tensor:
    """bool [layers, H]: the `share` of all heads with the least spread; at equal spread the earlier ones."""
    order = spread.flatten().argsort(stable=True)
    chosen = torch.zeros(spread.numel(), dtype=torch.bool)
    chosen[order[: round(share * spread.numel())]] = True
    return chosen.view_as(spread)


def calibration(runner: ScaleRunner, count: int) -> list[Request]:
    """Requests that are the same in every run: classes evenly apart, or plain prompts."""
    classes = getattr(runner, "classes", None)
    if classes is None:
        return [Request(str(i), prompt=f"a photo of {SUBJECTS[i % len(SUBJECTS)]}", seed=i) for i in range(count)]
    return [Request(str(i), class_id=i * classes // count, seed=i) for i in range(count)]


def _keys(share: float, carried: int) -> int:
    return max(1, min(carried, round(share * carried)))
