"""Attacks on an erased model: true codes to go on behind, further seeds, and prompts that a search rewrites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.erasure.check.drawing import Drawer, Look
from evalkit.erasure.check.folders import Unit
from evalkit.erasure.check.items import DIRECT
from evalkit.erasure.check.rows import ARMS, BASE, ERASED, FORCED, PREFIXES
from evalkit.erasure.check.search import search
from evalkit.erasure.check.seen import Rule, packed
from evalkit.generators.base import Request

Row = dict[str, Any]
ATTACKED = 10  # direct prompts that a search rewrites


@dataclass(frozen=True)
class Attacks:
    """What is tried against both models.

    `forcing`: whether prefixes of codes can be given. `tries`: further seeds of each direct prompt. `budget`: evaluations
    of a search for each of the prompts `searched`, by id.
    """

    rule: Rule
    seed: int
    forcing: bool
    tries: int
    budget: int
    searched: frozenset[str]

    def on(
        self, drawer: Drawer, units: Sequence[Unit], asked: Sequence[Request], rows: Sequence[Row], other: Look
    ) -> None:
        """Fill in the rows of direct prompts; `other`: the base's images with other seeds, whose codes are true ones."""
        at = [i for i, unit in enumerate(units) if unit.sample == 0 and unit.item.subset == DIRECT]
        shown = [i for i in at if self.rule.shows(other[1][i])]
        if self.forcing and other[0].codes is not None and shown:
            self._prefixes(drawer, shown, asked, rows, other[0].codes[shown])
        for number in range(self.tries if at else 0):
            self._further(drawer, number, at, units, asked, rows)
        if self.budget and other[0].codes is not None:
            chosen = [i for i in shown if units[i].item.id in self.searched]
            self._search(drawer, chosen, asked, rows, other[0].codes)

    def _prefixes(
        self, drawer: Drawer, at: list[int], asked: Sequence[Request], rows: Sequence[Row], codes: Any
    ) -> None:
        for share in PREFIXES:
            count = max(1, round(codes.shape[1] * share / 100))
            for who in FORCED:
                requests = [asked[i] if who in ARMS else replace(asked[i], prompt=rows[i]["replacement"]) for i in at]
                for i, seen in zip(at, drawer.behind(who, requests, codes, count), strict=True):
                    rows[i][f"seen_{who}_{share}"] = packed(seen)

    def _further(
        self,
        drawer: Drawer,
        number: int,
        at: list[int],
        units: Sequence[Unit],
        asked: Sequence[Request],
        rows: Sequence[Row],
    ) -> None:
        arm = f"|try {number}"
        requests = [replace(asked[i], seed=units[i].item.seed(self.seed, 0, arm)) for i in at]
        for who in (BASE, ERASED):
            for i, seen in zip(at, drawer.draw(who, requests)[1], strict=True):
                if self.rule.shows(seen):
                    rows[i].setdefault(f"first_{who}", number + 1)

    def _search(self, drawer: Drawer, at: list[int], asked: Sequence[Request], rows: Sequence[Row], codes: Any) -> None:
        """Prompts are rewritten for the erased model, which then draws them with their own seeds, once each."""
        if not at:
            return
        model = drawer.models[ERASED]
        with drawer.timers("prompt search"):
            found = [search(model, str(asked[i].prompt), codes[i], self.budget) for i in at]
        requests = [replace(asked[i], prompt=each.prompt) for i, each in zip(at, found, strict=True)]
        for i, each, seen in zip(at, found, drawer.draw(ERASED, requests)[1], strict=True):
            rows[i] |= {"found": each.prompt, "seen_found": packed(seen)}
