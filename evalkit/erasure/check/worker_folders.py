"""The evidence of images that were made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.encoders.base import Encoder, FeatureExtractor, Vector
from evalkit.erasure.check.beside import Beside
from evalkit.erasure.check.folders import Folder, Unit, featured
from evalkit.erasure.check.keep import small_copy
from evalkit.erasure.check.rows import BASE, ERASED, looked, row_of
from evalkit.erasure.check.seen import labels_of, look, packed
from evalkit.erasure.check.worker import Aside
from evalkit.images.loader import TOO_LARGE
from evalkit.images.sample import Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers


@dataclass(frozen=True)
class _Looked:
    """What one image gives: packed evidence, features where they are kept, further columns, and a copy where it is shown."""

    sha256: str
    seen: str
    vectors: Sequence[Vector]
    more: Mapping[str, Any]
    copy: bytes | None


class FolderWorker(Worker):
    """Both folders, a detector, and a network whose features say how far concepts lie apart."""

    def __init__(
        self,
        units: Sequence[Unit],
        folders: tuple[Folder, Folder],
        detector: Encoder,
        features: FeatureExtractor | None,
        beside: Beside,
        *,
        shown: bool,
        aside: Aside,
        facts: Mapping[str, Any],
    ) -> None:
        self.units, self.folders, self.detector, self.features = units, folders, detector, features
        self.beside, self.aside = beside, aside
        self.featured = featured(units, labels_of(detector))
        self.shown, self.facts, self.timers = shown, facts, Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """A row for each pair of images; arrays: features of both, by the position of the pair."""
        if shard.key in self.aside:
            return ShardOutput(looked([]), self.aside[shard.key](), seconds=self.timers.taken())
        rows, files, places = [], {}, []
        sources: list[tuple[str, str | None]] = []
        vectors: dict[str, list[Vector]] = {BASE: [], ERASED: []}
        for position in range(shard.start, shard.stop):
            unit = self.units[position]
            row = row_of(unit.item, unit.sample, 0)
            row["seed"] = None
            pair = {arm: self._looked(arm, folder, position) for arm, folder in zip(vectors, self.folders, strict=True)}
            bad = next((each for each in pair.values() if isinstance(each, Unreadable)), None)
            if bad is not None:
                row["error"] = bad.reason
            for arm, each in pair.items():
                if bad is not None or isinstance(each, Unreadable):
                    continue
                row |= {f"seen_{arm}": each.seen, **each.more}
                vectors[arm] += each.vectors
                if each.copy is not None:
                    row[f"file_{arm}"] = name = f"gallery/{row['id']}-{arm}.webp"
                    files[name] = each.copy
            sources += [(f"{arm}/{row['id']}", each.sha256) for arm, each in pair.items()]
            places += [position] if bad is None and self._keeps(position) else []
            rows.append(row)
            tick(1)
        arrays = {f"features_{arm}": np.stack(each) for arm, each in vectors.items() if each}
        return ShardOutput(
            looked(rows),
            {**arrays, "feature_places": np.array(places, np.int64)},
            files,
            self.timers.taken(),
            {**self.facts, "sources": sources},
        )

    def _keeps(self, position: int) -> bool:
        return self.features is not None and position in self.featured

    def _looked(self, arm: str, folder: Folder, position: int) -> _Looked | Unreadable:
        """What is in one image; no image is held while the next one is decoded."""
        unit = self.units[position]
        sample = self._read(folder, unit)
        if not isinstance(sample, Sample):
            return sample
        try:
            with self.timers("detector"):
                seen = packed(look(self.detector, [sample.image])[0])
            with self.timers("features"):
                vectors = self.features([sample.image]) if self.features and self._keeps(position) else []
            more = self.beside.on(unit, arm, sample.image, self.timers)
            copy = small_copy(sample.image) if self.shown and unit.sample == 0 else None
        except MemoryError:
            return Unreadable(sample.id, TOO_LARGE, sample.sha256)
        return _Looked(sample.sha256, seen, vectors, more, copy)

    def _read(self, folder: Folder, unit: Unit) -> Sample | Unreadable:
        place = int(unit.place or 0)
        with self.timers("read"):
            return next(iter(folder.images.read(place, place + 1, threads=1)))
