"""Windowed gradient accumulation and thresholded losses: when an image's passes make an update of the weights.

EAR adds up the losses of a window of passes and steps where the sum exceeds a threshold; the sum is cleared either way
(immc-lab/ear, ear_train_church.py).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from evalkit.erasure.training.settings import Settings
from evalkit.errors import EvalkitError


class Episode(ABC):
    """The images of some pairs, ready to be trained on; `passes` evaluations of the network, one for each code."""

    passes: int

    @abstractmethod
    def losses(self, span: range) -> Tensor:
        """[len(span)] losses of these passes at the network's present weights, with gradients."""


@dataclass(frozen=True)
class Tally:
    """What became of an episode: updates, windows that the threshold dropped, and the mean loss of a pass."""

    updates: int
    dropped: int
    loss: float


def spans(passes: int, window: int | None, tail: bool) -> tuple[range, ...]:
    """The windows of an image; `tail` keeps what lies behind the last whole one.

    >>> spans(576, 100, False)[-1], len(spans(576, 100, True)), spans(64, None, False)
    (range(400, 500), 6, (range(0, 64),))
    """
    size = min(window or passes, passes) if tail or window is None else window
    starts = range(0, passes if tail else passes - passes % size, size)
    return tuple(range(start, min(start + size, passes)) for start in starts)


def is_open(losses: Tensor, settings: Settings) -> bool:
    """Whether a window's losses [n] make an update; raises `EvalkitError` where they are not finite."""
    total = float(losses.detach().double().sum())
    if not math.isfinite(total):
        raise EvalkitError("the loss is no finite number any more. Lower --learning-rate, or train in float32")
    value = total if settings.gate == "sum" else total / len(losses)
    return settings.threshold is None or value > settings.threshold


def learn(
    episode: Episode,
    settings: Settings,
    optimiser: torch.optim.Optimizer,
    extra: Callable[[], Tensor] | None = None,
) -> Tally:
    """Make the episode's updates. `extra`: a further loss of each update, which the gate does not see.

    The gradient of a window is that of the sum of its losses, or of their mean, as its gate compares.
    """
    updates = dropped = 0
    found: list[Tensor] = []
    for span in spans(episode.passes, settings.window, settings.tail):
        losses = episode.losses(span)
        found.append(losses.detach().double())
        if not is_open(losses, settings):
            dropped += 1
            continue
        optimiser.zero_grad(set_to_none=True)
        (losses.sum() if settings.gate == "sum" else losses.mean()).backward()  # type: ignore[no-untyped-call]
        if extra is not None:
            extra().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        updates += 1
    optimiser.zero_grad(set_to_none=True)
    mean = float(torch.cat(found).mean()) if found else 0.0
    return Tally(updates, dropped, mean)
