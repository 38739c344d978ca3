"""What an eraser is taught: the contract of methods, and the table of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar

from torch import Tensor

from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.training.chosen import Chosen
from evalkit.erasure.training.learner import Learner
from evalkit.erasure.training.rollouts import Rollouts
from evalkit.erasure.training.settings import Settings
from evalkit.erasure.training.windows import Episode
from evalkit.errors import EvalkitError

METHODS = {  # name to (module, class)
    "ear": ("ear", "Ear"),
    "ear-released": ("ear", "EarReleased"),
    "replace": ("replace", "Replace"),
    "replace+retain": ("replace", "Replace"),
    "gradient-ascent": ("replace", "GradientAscent"),
    "masked-kl": ("replace", "MaskedKL"),
    "first-scale": ("replace", "FirstScale"),
    "name-swap": ("edits", "NameSwap"),
    "noise": ("edits", "Noise"),
}


@dataclass(frozen=True)
class Work:
    """What a method works on. `retain`: prompts whose images must stay as they are."""

    learner: Learner
    chosen: Chosen
    settings: Settings
    pairs: tuple[Pair, ...]
    retain: tuple[str, ...]
    seed: int

    def prompts(self, side: str, places: Sequence[int]) -> list[str]:
        """Targets or replacements of some pairs."""
        return [getattr(self.pairs[i], side) for i in places]

    def rollouts(self, side: str, stream: str) -> Rollouts:
        """The base's images of all targets or replacements."""

        def conditions(places: Sequence[int]) -> Tensor:
            return self.learner.conditions(self.prompts(side, places))

        return Rollouts(
            self.learner, self.chosen, conditions, len(self.pairs), self.settings.guidance, self.seed, stream
        )


class Objective(ABC):
    """A method that makes updates; `in_order`: the pairs are taken in the order of their file."""

    in_order: ClassVar[bool] = False

    @property
    def reach(self) -> int | None:
        """The first codes of an image that the method looks at; None for all."""
        return None

    def __init__(self, work: Work) -> None:
        self.work, self.learner, self.settings = work, work.learner, work.settings

    @abstractmethod
    def episode(self, places: Sequence[int]) -> Episode:
        """The images of these pairs, ready to be trained on."""


class Edit(ABC):
    """A method that changes the weights at once."""

    on_words: ClassVar[bool] = False  # changes the table of words and nothing that the settings choose

    @abstractmethod
    def apply(self, work: Work) -> None:
        """Change the chosen parameters."""


def method_class(name: str) -> type[Objective] | type[Edit]:
    """The class of a method; raises `EvalkitError` for an unknown name."""
    if name not in METHODS:
        raise EvalkitError(f"there is no erasure method {name!r}. Give one of {', '.join(METHODS)}")
    module, found = METHODS[name]
    made: type[Objective] | type[Edit] = getattr(import_module(f"evalkit.erasure.training.{module}"), found)
    return made
