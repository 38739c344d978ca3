"""Figures that papers and repositories state, to be shown hollow beside measured ones, with what keeps them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.leaderboard.boards import Board
from evalkit.leaderboard.entrants import Entrant, Imported
from evalkit.systems import list_systems
from evalkit.systems.measures import MEASURES, RULES
from evalkit.tokenizers.cards import list_models

Scope = Literal["none", "measured", "all"]
IMPORTED = "imported, not measured here"
SCOPES: tuple[Scope, ...] = ("none", "measured", "all")


@dataclass(frozen=True)
class Reported:
    """A stated `value`: of which system, in which `setting`, where it was read, and why it is not ranked (`apart`).

    `entrant`: the run of the same model on the board, None where none was measured. `verified`: read in the source
    itself.
    """

    name: str
    value: float
    setting: str
    source: str
    verified: bool
    apart: str
    entrant: int | None


def reported_on(board: Board, entrants: Sequence[Entrant], scope: Scope) -> list[Reported]:
    """What is stated of the board's metric: of the models that are on it, or of every system with `all`."""
    if scope == "none" or board.parts:
        return []
    models = {entrants[i].model: i for i in reversed(board.entrants)}
    here = f"here {board.terms.protocol or 'no protocol'}, {board.terms.n:,} of {board.terms.dataset}"
    return _of_models(board, models, here) + _of_systems(board, models, here, scope)


def imported_on(board: Board, entrants: Sequence[Entrant], imported: Sequence[Imported]) -> list[Reported]:
    """What runs of `evalkit import` hold of the board's metric."""
    if board.parts:
        return []
    models = {entrants[i].model: i for i in reversed(board.entrants)}
    terms = board.terms
    here = f"{IMPORTED}; here {terms.protocol or 'no protocol'}, {terms.n:,} of {terms.dataset}"
    return [
        Reported(each.model, each.value, each.setting, each.source, False, here, models.get(each.model))
        for each in imported
        if each.metric == terms.metric
    ]


def _of_models(board: Board, models: dict[str, int], here: str) -> list[Reported]:
    found = []
    for card in list_models():
        entrant = next((models[name] for name in (card.name, *card.aliases) if name in models), None)
        for number in card.published if entrant is not None else ():
            if number.metric == board.terms.metric:
                rules = f"reported under {number.protocol}" if number.protocol else "reported under rules of its own"
                same = number.protocol == board.terms.protocol
                said = f"the same protocol on other data; {here}" if same else f"{rules}; {here}"
                verified = number.certainty == "read"
                found.append(Reported(card.name, number.value, number.setting, number.source, verified, said, entrant))
    return found


def _of_systems(board: Board, models: dict[str, int], here: str, scope: Scope) -> list[Reported]:
    verb = "tokenizer" if board.terms.task != "generate" else "generate"
    names = {name for name, measure in MEASURES.items() if measure.here == f"{verb}:{board.terms.metric}"}
    if not names:
        return []
    found = []
    for card in list_systems():
        mine = (*card.tokenizers, *card.generators)
        measured = [models[name] for name in mine if name in models]
        if not measured and scope != "all":
            continue
        told = _stated([name for name in mine if name in models], board.terms.metric)
        for number in card.numbers:
            if number.measure in names and number.value not in told:
                by = RULES[number.rule] if number.rule else ""
                rules = f"reported by {by}" if by else "reported under rules that it does not state"
                entrant = measured[0] if measured and len(mine) == 1 else None  # of one model, or of several sizes
                said = f"{rules}; {here}"
                found.append(
                    Reported(card.id, number.value, number.setting, number.source, number.verified, said, entrant)
                )
    return found


def _stated(names: Sequence[str], metric: str) -> set[float]:
    """Values that the cards of these models state already."""
    return {
        number.value
        for card in list_models()
        if card.name in names
        for number in card.published
        if number.metric == metric
    }
