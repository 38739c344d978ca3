"""Every model that `evalkit generate` can run, by the way in which it runs: natively, by a library, an endpoint, a worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from evalkit.registry import named_like
from evalkit.tokenizers.cards import ModelCard, list_models


@dataclass(frozen=True)
class Route:
    """One model: what to type for it, how it runs, what an image is drawn of, its side, licence, and what it needs."""

    name: str
    route: Literal["native", "library", "endpoint", "worker"]
    draws: str
    side: str
    licence: str
    needs: str
    type: str


def routes(pattern: str = "*") -> list[Route]:
    """All whose name matches `pattern`; those of a kind stand together."""
    return [each for each in (*_cards(), *_endpoints(), *_workers()) if named_like(pattern, each.name)]


def _cards() -> Iterator[Route]:
    for card in list_models("generator", "*"):
        kind: Literal["native", "library"] = "library" if card.library else "native"
        side, licence = str(card.native_size), card.licence or "—"
        yield Route(card.name, kind, card.conditions, side, licence, _needs(card), f"--model {card.name}")


def _needs(card: ModelCard) -> str:
    if card.library:
        return f"evalkit-ar[hf] ({card.library})"
    weights = "nothing" if card.family == "world" else card.weights or "—"
    return f"{weights}, {card.tokenizer}" if card.tokenizer and card.family != "world" else weights


def _endpoints() -> Iterator[Route]:
    from evalkit.generators.endpoints import served_models

    for name, served in served_models().items():
        draws = "text, image" if served.edits else "text"
        side = str(served.options.get("size", "the server's"))
        needs = f"a server of {served.repo}"
        yield Route(name, "endpoint", draws, side, served.licence, needs, f"--model http:URL#{name}")


def _workers() -> Iterator[Route]:
    from evalkit.generators.workers import known_workers

    for name, worker in known_workers().items():
        typed = f'--model "command:ENV/bin/python {worker.start}"'
        yield Route(name, "worker", worker.draws, worker.side, worker.licence, f"docs/workers/{worker.file}", typed)
