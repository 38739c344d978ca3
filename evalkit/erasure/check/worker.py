"""One shard of a check of two models: every arm draws the same prompts with the same uniform numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from evalkit.erasure.check.attacks import Attacks
from evalkit.erasure.check.beside import Beside
from evalkit.erasure.check.drawing import Drawer, Look
from evalkit.erasure.check.folders import CONTROLLED, Unit, featured, few_of_each
from evalkit.erasure.check.forcing import likelihood
from evalkit.erasure.check.items import RETAIN
from evalkit.erasure.check.keep import small_copy
from evalkit.erasure.check.rows import BASE, COLLAPSE, ERASED, OTHER, RANDOM, looked, row_of
from evalkit.erasure.check.seen import labels_of, packed
from evalkit.generators.base import Request, TokenGenerator
from evalkit.generators.sampling import Sampler
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker

Row = dict[str, Any]
Arrays = dict[str, np.ndarray[Any, Any]]
Aside = Mapping[str, Callable[[], Arrays]]  # arrays of shards without images, by the key of the shard


class CheckWorker(Worker):
    """Draws the arms, attacks them, and takes likelihoods, features and text scores."""

    def __init__(
        self,
        units: Sequence[Unit],
        drawer: Drawer,
        attacks: Attacks,
        beside: Beside,
        *,
        sampler: Sampler,
        shown: bool,
        aside: Aside,
        facts: Mapping[str, Any],
    ) -> None:
        self.units, self.drawer, self.attacks, self.beside = units, drawer, attacks, beside
        self.sampler, self.shown, self.aside, self.facts = sampler, shown, aside, facts
        known = labels_of(drawer.detector)
        self.featured, self.controlled = featured(units, known), few_of_each(units, known, *CONTROLLED)
        self.timers, self.seed = drawer.timers, attacks.seed

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """A row for each prompt and seed; arrays: features by position, divergences of codes, the relearning curves."""
        if shard.key in self.aside:
            with self.timers(shard.key):
                arrays = self.aside[shard.key]()
            return ShardOutput(looked([]), arrays, seconds=self.timers.taken())
        units = self.units[shard.start : shard.stop]
        rows = [row_of(unit.item, unit.sample, unit.item.seed(self.seed, unit.sample)) for unit in units]
        asked = [Request(row["id"], row["prompt"], seed=row["seed"], sampler=self.sampler) for row in rows]
        others = [
            replace(r, seed=u.item.seed(self.seed, u.sample, "|other")) for r, u in zip(asked, units, strict=True)
        ]
        drawn = {BASE: asked, OTHER: others, ERASED: asked}
        looks = {arm: self.drawer.draw(arm, requests) for arm, requests in drawn.items()}
        for arm, (_, seen) in looks.items():
            for row, each in zip(rows, seen, strict=True):
                row[f"seen_{arm}"] = packed(each)
        self._controls(shard.start, asked, rows)
        arrays = {
            **self._features(shard.start, units, drawn, looks),
            **self._likelihood(units, asked, rows, looks[BASE]),
        }
        self.attacks.on(self.drawer, units, asked, rows, looks[OTHER])
        for arm in (BASE, ERASED):
            for unit, row, image in zip(units, rows, looks[arm][0].images, strict=True):
                row |= self.beside.on(unit, arm, image, self.timers)
        files = self._files(units, rows, looks) if self.shown else {}
        tick(len(units))
        return ShardOutput(looked(rows), arrays, files, self.timers.taken(), self.facts)

    def _controls(self, start: int, asked: Sequence[Request], rows: Sequence[Row]) -> None:
        at = [i for i in range(len(rows)) if start + i in self.controlled]
        for arm in (RANDOM, COLLAPSE):
            if arm in self.drawer.models and at:
                for i, seen in zip(at, self.drawer.draw(arm, [asked[i] for i in at])[1], strict=True):
                    rows[i][f"seen_{arm}"] = packed(seen)

    def _likelihood(self, units: Sequence[Unit], asked: Sequence[Request], rows: Sequence[Row], base: Look) -> Arrays:
        at = [i for i, unit in enumerate(units) if unit.item.subset == RETAIN]
        codes, models = base[0].codes, [self.drawer.models[arm] for arm in (BASE, ERASED)]
        one, two = models
        if not at or codes is None or not isinstance(one, TokenGenerator) or not isinstance(two, TokenGenerator):
            return {}
        with self.timers("likelihood"):
            found = likelihood(one, two, [asked[i] for i in at], codes[at])
        for n, i in enumerate(at):
            nats = {"nll_base": float(found.base[n]), "nll_erased": float(found.erased[n])}
            rows[i] |= {**nats, "kl": float(found.kl[n].mean())}
        return {"kl_sum": found.kl.sum(0).numpy(), "kl_count": np.array(len(at))}

    def _features(
        self, start: int, units: Sequence[Unit], asked: Mapping[str, Sequence[Request]], looks: Mapping[str, Look]
    ) -> Arrays:
        at = [i for i in range(len(units)) if start + i in self.featured]
        arrays: Arrays = {"feature_places": np.array([start + i for i in at], np.int64)}
        if self.drawer.network is None or not at:
            return arrays
        for arm, requests in asked.items():
            images = looks[arm][0].images
            arrays[f"features_{arm}"] = self.drawer.features(arm, [requests[i] for i in at], [images[i] for i in at])
        return arrays

    def _files(self, units: Sequence[Unit], rows: Sequence[Row], looks: Mapping[str, Look]) -> dict[str, bytes]:
        files = {}
        for i, unit in enumerate(units):
            for arm in (BASE, ERASED):
                if unit.sample == 0:
                    rows[i][f"file_{arm}"] = name = f"gallery/{rows[i]['id']}-{arm}.webp"
                    files[name] = small_copy(looks[arm][0].images[i])
        return files
