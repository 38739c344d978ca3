"""One shard of a check of two models: every arm draws the same prompts with the same uniform numbers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from evalkit.encoders.base import Encoder, FeatureExtractor
from evalkit.erasure.check.arms import Drawn, draw
from evalkit.erasure.check.folders import Unit, featured
from evalkit.erasure.check.forcing import go_on, likelihood
from evalkit.erasure.check.items import DIRECT, RETAIN
from evalkit.erasure.check.keep import small_copy
from evalkit.erasure.check.memory import Memory
from evalkit.erasure.check.relearn import Relearning
from evalkit.erasure.check.rows import ARMS, BASE, COLLAPSE, ERASED, FORCED, OTHER, PREFIXES, RANDOM, looked, row_of
from evalkit.erasure.check.seen import Rule, Seen, labels_of, look, packed
from evalkit.generators.base import Generator, Request, TokenGenerator
from evalkit.generators.sampling import Sampler
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers

Look = tuple[Drawn, list[Seen]]
Row = dict[str, Any]


class CheckWorker(Worker):
    """Holds the models of all arms and who looks at their images; `memory` keeps what only the base decides."""

    def __init__(
        self,
        units: Sequence[Unit],
        models: Mapping[str, Generator],
        detector: Encoder,
        features: FeatureExtractor | None,
        *,
        rule: Rule,
        sampler: Sampler,
        seed: int,
        forcing: bool,
        tries: int,
        shown: bool,
        memory: Memory,
        key: Hashable,
        relearning: Relearning | None,
        facts: Mapping[str, Any],
    ) -> None:
        self.units, self.models, self.detector, self.features = units, models, detector, features
        self.rule, self.sampler, self.seed, self.forcing, self.shown = rule, sampler, seed, forcing, shown
        self.tries = tries
        self.memory, self.key, self.relearning = memory, key, relearning
        self.featured = featured(units, labels_of(detector))
        self.facts, self.timers = facts, Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """A row for each prompt and seed; arrays: features by position, divergences of codes, the relearning curves."""
        if shard.size == 0 and self.relearning is not None:
            with self.timers("relearning"):
                return ShardOutput(looked([]), self.relearning.curves(), seconds=self.timers.taken())
        units = self.units[shard.start : shard.stop]
        rows = [row_of(unit.item, unit.sample, unit.item.seed(self.seed, unit.sample)) for unit in units]
        asked = [self._request(row) for row in rows]
        others = [
            replace(r, seed=u.item.seed(self.seed, u.sample, "|other")) for r, u in zip(asked, units, strict=True)
        ]
        looks = {
            BASE: self._draw(BASE, asked),
            OTHER: self._draw(OTHER, others),
            ERASED: self._draw(ERASED, asked),
        }
        for arm, (_, seen) in looks.items():
            for row, each in zip(rows, seen, strict=True):
                row[f"seen_{arm}"] = packed(each)
        self._controls(units, asked, rows)
        divergence = self._likelihood(units, asked, rows, looks[BASE][0])
        if self.forcing:
            self._forced(units, asked, rows, looks[OTHER])
        if self.tries:
            self._attack(units, asked, rows)
        files = self._files(units, rows, looks) if self.shown else {}
        tick(len(units))
        arrays = {**self._features(shard.start, units, looks), **divergence}
        return ShardOutput(looked(rows), arrays, files, self.timers.taken(), self.facts)

    def _request(self, row: Row) -> Request:
        return Request(row["id"], row["prompt"], seed=row["seed"], sampler=self.sampler)

    def _draw(self, arm: str, requests: Sequence[Request]) -> Look:
        """Images of an arm and what is in them; those that no eraser changes are drawn once."""
        model = self.models[BASE if arm == OTHER else arm]

        def made() -> Look:
            with self.timers(f"draw {arm}"):
                drawn = draw(model, requests)
            with self.timers("detector"):
                return drawn, look(self.detector, drawn.images)

        kept = arm in (BASE, OTHER, COLLAPSE)
        return self.memory.get((self.key, arm, _asked(requests)), made) if kept else made()

    def _controls(self, units: Sequence[Unit], asked: Sequence[Request], rows: Sequence[Row]) -> None:
        at = [i for i, unit in enumerate(units) if unit.sample == 0 and unit.item.subset in (DIRECT, RETAIN)]
        for arm in (RANDOM, COLLAPSE):
            if arm in self.models and at:
                for i, seen in zip(at, self._draw(arm, [asked[i] for i in at])[1], strict=True):
                    rows[i][f"seen_{arm}"] = packed(seen)

    def _likelihood(
        self, units: Sequence[Unit], asked: Sequence[Request], rows: Sequence[Row], drawn: Drawn
    ) -> dict[str, np.ndarray[Any, Any]]:
        at = [i for i, unit in enumerate(units) if unit.item.subset == RETAIN]
        base, erased = self.models[BASE], self.models[ERASED]
        if not at or drawn.codes is None or not self.forcing:
            return {}
        if not isinstance(base, TokenGenerator) or not isinstance(erased, TokenGenerator):
            return {}
        with self.timers("likelihood"):
            found = likelihood(base, erased, [asked[i] for i in at], drawn.codes[at])
        for n, i in enumerate(at):
            rows[i] |= {
                "nll_base": float(found.base[n]),
                "nll_erased": float(found.erased[n]),
                "kl": float(found.kl[n].mean()),
            }
        return {"kl_sum": found.kl.sum(0).numpy(), "kl_count": np.array(len(at))}

    def _forced(self, units: Sequence[Unit], asked: Sequence[Request], rows: Sequence[Row], other: Look) -> None:
        """Both models behind true codes of the concept: those that the base drew with other seeds."""
        drawn, seen = other
        at = [
            i
            for i, unit in enumerate(units)
            if unit.sample == 0 and unit.item.subset == DIRECT and self.rule.shows(seen[i])
        ]
        if not at or drawn.codes is None:
            return
        codes = drawn.codes[at]
        for share in PREFIXES:
            count = max(1, round(codes.shape[1] * share / 100))
            for who in FORCED:
                requests = [asked[i] if who in ARMS else replace(asked[i], prompt=rows[i]["replacement"]) for i in at]
                found = self._go_on(who, requests, codes, count)
                for i, each in zip(at, found, strict=True):
                    rows[i][f"seen_{who}_{share}"] = packed(each)

    def _attack(self, units: Sequence[Unit], asked: Sequence[Request], rows: Sequence[Row]) -> None:
        """The same budget of further seeds for both models, on direct prompts."""
        at = [i for i, unit in enumerate(units) if unit.sample == 0 and unit.item.subset == DIRECT]
        for number in range(self.tries if at else 0):
            arm = f"|try {number}"
            requests = [replace(asked[i], seed=units[i].item.seed(self.seed, 0, arm)) for i in at]
            for who in (BASE, ERASED):
                for i, seen in zip(at, self._draw(who, requests)[1], strict=True):
                    if self.rule.shows(seen):
                        rows[i].setdefault(f"first_{who}", number + 1)

    def _go_on(self, who: str, requests: Sequence[Request], codes: torch.Tensor, count: int) -> list[Seen]:
        model = self.models[ERASED if who == ERASED else BASE]

        def made() -> list[Seen]:
            if not isinstance(model, TokenGenerator):
                return []
            with self.timers("prefix forcing"):
                return look(self.detector, go_on(model, requests, codes, count).images)

        key = (self.key, "prefix", who, count, _asked(requests))
        return made() if who == ERASED else self.memory.get(key, made)

    def _features(
        self, start: int, units: Sequence[Unit], looks: Mapping[str, Look]
    ) -> dict[str, np.ndarray[Any, Any]]:
        at = [i for i in range(len(units)) if start + i in self.featured]
        arrays: dict[str, np.ndarray[Any, Any]] = {"feature_places": np.array([start + i for i in at], np.int64)}
        network = self.features
        if network is None or not at:
            return arrays
        for arm in (BASE, OTHER, ERASED):
            images = looks[arm][0].images
            name = (self.key, "features", arm, tuple((units[i].item.id, units[i].item.prompt) for i in at))

            def made(images: Sequence[Any] = images) -> np.ndarray[Any, Any]:
                with self.timers("features"):
                    return np.stack(network([images[i] for i in at]))

            arrays[f"features_{arm}"] = made() if arm == ERASED else self.memory.get(name, made)
        return arrays

    def _files(self, units: Sequence[Unit], rows: Sequence[Row], looks: Mapping[str, Look]) -> dict[str, bytes]:
        files = {}
        for i, unit in enumerate(units):
            for arm in (BASE, ERASED):
                if unit.sample == 0:
                    rows[i][f"file_{arm}"] = name = f"gallery/{rows[i]['id']}-{arm}.webp"
                    files[name] = small_copy(looks[arm][0].images[i])
        return files


def _asked(requests: Sequence[Request]) -> Hashable:
    return tuple((request.prompt, request.seed) for request in requests)
