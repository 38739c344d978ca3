"""What networks measure of an image of a judged suite beside a judge's word, by the kind that the suite names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from evalkit.encoders.prompt_scorer import PromptScorer, load_prompt_scorer
from evalkit.errors import EvalkitError, WeightsError
from evalkit.images.sample import Pixels
from evalkit.tasks.probe.editing.measure import load_measures
from evalkit.tasks.probe.editing.pie import load_pie
from evalkit.tasks.probe.oneig import load_diversity, load_reasoning, load_style
from evalkit.tasks.probe.spread import Array

PROMPTED, PERHAPS = "scores:", "perhaps:"  # before names of scorers of an image for its prompt
Source = Callable[[str], bytes]  # role -> the bytes of that image's file


class Measures(Protocol):
    """Networks that measure an image."""

    @property
    def facts(self) -> dict[str, Any]:
        """The networks and their weights."""

    def measured(self, image: Pixels, fields: Mapping[str, Any], source: Source) -> dict[str, float]:
        """Values by name of a uint8 [H, W, 3] image of the item with these fields; of networks that are there alone."""


@runtime_checkable
class Embeds(Protocol):
    """Networks whose embeddings of one prompt's images are compared."""

    def embedding(self, image: Pixels) -> Array | None:
        """float [width]; None for an image that is not compared."""


@dataclass(frozen=True)
class PromptMeasures:
    """Scores of the image for its prompt, such as HPS v2.1, by the scorer's name."""

    scorers: Mapping[str, PromptScorer]

    def measured(self, image: Pixels, fields: Mapping[str, Any], source: Source) -> dict[str, float]:
        """A score of each scorer, for the field `spoken` where there is one (T2I-CompBench takes out adjectives)."""
        batch = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
        text = str(fields.get("spoken") or fields["prompt"])
        return {name: float(each.score(batch, [text])[0]) for name, each in self.scorers.items()}

    @property
    def facts(self) -> dict[str, Any]:
        """The weights of each scorer."""
        return {name: each.weights_sha256 for name, each in self.scorers.items()}


LOADERS: dict[str, Callable[[str], Measures]] = {
    "editing": load_measures,
    "pie": load_pie,
    "oneig-style": load_style,
    "oneig-diversity": load_diversity,
    "oneig-reasoning": load_reasoning,
}
KINDS = (*LOADERS, f"{PROMPTED}NAME,NAME", f"{PERHAPS}NAME,NAME")


def measures_of(kind: str, device: str) -> Measures:
    """The networks of a kind. Without weights those of editing and "perhaps" are left out; others raise `WeightsError`.

    Raises `EvalkitError` for another kind.
    """
    if kind in LOADERS:
        return LOADERS[kind](device)
    start, _, names = kind.partition(":")
    if f"{start}:" in (PROMPTED, PERHAPS) and names:
        return PromptMeasures(_scorers(names.split(","), device, needed=f"{start}:" == PROMPTED))
    raise EvalkitError(f"there are no measures of the kind {kind!r}. Give one of {', '.join(KINDS)}")


def _scorers(names: list[str], device: str, *, needed: bool) -> dict[str, PromptScorer]:
    found = {}
    for name in names:
        try:
            found[name] = load_prompt_scorer(name, None, device)
        except WeightsError:
            if needed:
                raise
    return found
