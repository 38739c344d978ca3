"""The parameters that an eraser changes, beside what the base had in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from evalkit.erasure.training.learner import Learner
from evalkit.erasure.training.settings import Settings
from evalkit.errors import EvalkitError


class Chosen:
    """The trained parameters of a network by name; all others stay without gradients.

    `originals`: copies of the base's own values. Only these are kept twice, so a large model fits the memory once.
    """

    def __init__(self, network: nn.Module, names: tuple[str, ...]) -> None:
        known = dict(network.named_parameters())
        self.parameters: dict[str, nn.Parameter] = {name: known[name] for name in names}
        self.originals = {name: value.detach().clone() for name, value in self.parameters.items()}
        network.requires_grad_(False)
        for parameter in self.parameters.values():
            parameter.requires_grad_(True)

    @contextmanager
    def base(self) -> Iterator[None]:
        """Within, the network is the base, and takes no gradients."""
        now = {name: parameter.data for name, parameter in self.parameters.items()}
        self._put(self.originals)
        try:
            with torch.no_grad():
                yield
        finally:
            self._put(now)

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Take over values of these names."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(values[name])

    def release(self) -> None:
        """No parameter takes gradients any more."""
        for parameter in self.parameters.values():
            parameter.requires_grad_(False)
            parameter.grad = None

    def change(self) -> dict[str, float]:
        """How far the parameters moved: the norm of the change, and its share of the norm of what they were."""
        moved, before = 0.0, 0.0
        for name, parameter in self.parameters.items():
            original = self.originals[name].double()
            moved += float((parameter.detach().double() - original).square().sum())
            before += float(original.square().sum())
        return {"norm": moved**0.5, "relative": (moved / before) ** 0.5 if before else 0.0}

    def _put(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.data = values[name]


def chosen_names(learner: Learner, settings: Settings) -> tuple[str, ...]:
    """Names of the parameters within the settings' blocks that match their pattern (by default the attention's).

    Without blocks, a pattern also finds parameters outside of all blocks, such as tables of words. Raises `EvalkitError`
    where there is none.
    """
    pattern = re.compile(settings.modules or learner.modules)
    found = [
        name
        for name, _ in learner.network.named_parameters()
        if _within(learner, name, settings) and pattern.search(name)
    ]
    if not found:
        raise EvalkitError(
            f"no parameter of {learner.generator.name} lies in the blocks {settings.blocks or 'of all layers'} and matches "
            f"{pattern.pattern!r}. Change --blocks or --modules"
        )
    return tuple(found)


def _within(learner: Learner, name: str, settings: Settings) -> bool:
    match, blocks = re.search(learner.layer, name), settings.blocks
    if match is None:
        return blocks is None and bool(settings.modules)
    number = int(next(group for group in match.groups() if group is not None))
    return blocks is None or blocks[0] <= number <= blocks[1]
