"""What a card's plan comes to today: which measures evalkit takes, and which weights are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.metrics.generation import GAINED, SECONDS
from evalkit.systems.card import SystemCard
from evalkit.systems.measures import MEASURES, Measure
from evalkit.tokenizers.cards import ModelCard, list_models

if TYPE_CHECKING:
    from evalkit.systems.weights import State

DRAWN = ("native", "library", "worker")  # runners whose seconds are the model's own


@dataclass(frozen=True)
class Needed:
    """A weight file of a model, where it lies, and whether it is here."""

    file: str
    models: tuple[str, ...]
    where: str
    state: State


def taken(card: SystemCard) -> dict[str, str]:
    """The card's measures that evalkit takes of this system today, each with VERB:NAME."""
    return {name: here for name in card.measures if (here := MEASURES[name].here) and _applies(card, MEASURES[name])}


def not_taken(card: SystemCard) -> tuple[str, ...]:
    """The card's measures that evalkit does not take of this system yet."""
    return tuple(name for name in card.measures if name not in taken(card))


def _applies(card: SystemCard, measure: Measure) -> bool:
    """Reconstructions need a tokenizer, seconds a model that draws here, counted evaluations a network of evalkit's.

    Scores and probes need images, which every system but a reported one has. What an acceleration gains, and what a
    detector finds, are taken by a step of the plan or not at all.
    """
    verb, metric = measure.verb, measure.metric
    if verb == "tokenizer":
        both_ways = {each for model in list_models("tokenizer") if not model.encode_only for each in _names(model)}
        return any(each in both_ways for each in card.tokenizers)
    if verb in ("score", "probe"):
        return card.runner != "reported"
    if metric in GAINED:
        return card.runner == "native" and any(" --accelerate " in step.command for step in card.steps)
    if verb.startswith("watermark "):
        return any(step.command.startswith(f"evalkit {verb} ") for step in card.steps)
    return card.runner in DRAWN if metric is SECONDS else card.runner == "native" and bool(card.generators)


def _names(model: ModelCard) -> tuple[str, ...]:
    return (model.name, *model.aliases)


def needed_weights(names: Sequence[str]) -> list[Needed]:
    """The manifest's files of these models and of the tokenizers that decode for them; nothing is fetched."""
    from evalkit.systems.weights import weight_states
    from evalkit.weights.find import weights_manifest  # these two bring torch, which a list or a card does not need

    cards = {each: card for card in list_models() for each in _names(card)}
    chosen = [cards[name] for name in names if name in cards]
    keys = [card.weights for card in chosen]
    keys += [
        cards[card.tokenizer].weights for card in chosen if card.tokenizer and card.weights
    ]  # libraries bring theirs
    keys += [name for name in names if name in weights_manifest()]
    files = []
    for key in dict.fromkeys(key for key in keys if key is not None):
        for found in weight_states(key):
            if found.entry.key == key:
                files.append(Needed(key, found.models, found.entry.where, found.state))
    return files
