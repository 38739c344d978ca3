"""The evidence of images that were made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.encoders.base import Encoder, FeatureExtractor
from evalkit.encoders.prompt_scorer import PromptScorer
from evalkit.erasure.check.folders import Folder, Unit, featured
from evalkit.erasure.check.items import RETAIN
from evalkit.erasure.check.keep import small_copy
from evalkit.erasure.check.rows import BASE, ERASED, looked, row_of
from evalkit.erasure.check.seen import labels_of, look, packed
from evalkit.erasure.check.texts import text_scores
from evalkit.erasure.check.worker import Aside
from evalkit.images.sample import Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers


class FolderWorker(Worker):
    """Both folders, a detector, and a network whose features say how far concepts lie apart."""

    def __init__(
        self,
        units: Sequence[Unit],
        folders: tuple[Folder, Folder],
        detector: Encoder,
        features: FeatureExtractor | None,
        scorer: PromptScorer | None,
        *,
        shown: bool,
        aside: Aside,
        facts: Mapping[str, Any],
    ) -> None:
        self.units, self.folders, self.detector, self.features = units, folders, detector, features
        self.scorer, self.aside = scorer, aside
        self.featured = featured(units, labels_of(detector))
        self.shown, self.facts, self.timers = shown, facts, Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """A row for each pair of images; arrays: features of both, by the position of the pair."""
        if shard.key in self.aside:
            return ShardOutput(looked([]), self.aside[shard.key](), seconds=self.timers.taken())
        rows, files, places = [], {}, []
        vectors: dict[str, list[np.ndarray[tuple[int], np.dtype[np.float32]]]] = {BASE: [], ERASED: []}
        for position in range(shard.start, shard.stop):
            unit = self.units[position]
            row = row_of(unit.item, unit.sample, 0)
            row["seed"] = None
            pair = {arm: self._read(folder, unit) for arm, folder in zip((BASE, ERASED), self.folders, strict=True)}
            bad = next((each for each in pair.values() if isinstance(each, Unreadable)), None)
            if bad is not None:
                row["error"] = bad.reason
            else:
                keeps = self.features is not None and position in self.featured
                places += [position] if keeps else []
                for arm, sample in pair.items():
                    if not isinstance(sample, Sample):
                        continue
                    with self.timers("detector"):
                        row[f"seen_{arm}"] = packed(look(self.detector, [sample.image])[0])
                    if keeps and self.features is not None:
                        with self.timers("features"):
                            vectors[arm] += self.features([sample.image])
                    if self.scorer is not None and unit.sample == 0 and unit.item.subset == RETAIN:
                        with self.timers("text scores"):
                            row[f"clip_{arm}"] = text_scores(self.scorer, sample.image, unit.item.prompt)
                    if self.shown and unit.sample == 0:
                        row[f"file_{arm}"] = name = f"gallery/{row['id']}-{arm}.webp"
                        files[name] = small_copy(sample.image)
            rows.append(row)
            tick(1)
        arrays = {f"features_{arm}": np.stack(each) for arm, each in vectors.items() if each}
        return ShardOutput(
            looked(rows),
            {**arrays, "feature_places": np.array(places, np.int64)},
            files,
            self.timers.taken(),
            self.facts,
        )

    def _read(self, folder: Folder, unit: Unit) -> Sample | Unreadable:
        place = int(unit.place or 0)
        with self.timers("read"):
            return next(iter(folder.images.read(place, place + 1, threads=1)))
