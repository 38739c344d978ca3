"""One shard of a scoring: images are read, looked at by every network, and scored for their prompts."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch

from evalkit.encoders.base import Vector
from evalkit.encoders.kept_features import KeptFeatures, SeenImage
from evalkit.encoders.lanes import side_by_side
from evalkit.encoders.prompt_scorer import PromptScorer
from evalkit.encoders.set_encoder import SetEncoder
from evalkit.images.encode import png_bytes
from evalkit.images.geometry import resize_exact
from evalkit.images.loader import TOO_LARGE, batched, shown
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.statistics_file import ReferenceFile, StoredGaussian
from evalkit.tasks.score.inputs import Asked
from evalkit.tasks.score.rows import IMAGES, REFERENCE, table
from evalkit.tasks.score.said import RECALLED

TOGETHER = 2**24  # pixels of images that are held for looking; a larger one comes alone
THUMBNAIL = 256  # pixels of the longer side of an image that stays with the run
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Look:
    """An image's row, and its features by head; none where it failed."""

    row: dict[str, Any]
    features: Mapping[str, Vector] | None = None


class ScoreWorker(Worker):
    """Holds networks and both sets; the arrays of a shard are `<side>|<head>`, float32 [k, d] of its good images."""

    def __init__(
        self,
        sets: Mapping[str, ImageSet],
        counts: Mapping[str, int],
        encoder: SetEncoder,
        scorers: Mapping[str, PromptScorer],
        asked: Asked,
        *,
        batch_size: int,
        threads: int,
        facts: Mapping[str, Any],
        file: ReferenceFile | None = None,
        lanes: int = 1,
        kept: KeptFeatures | None = None,
    ) -> None:
        """`lanes`: batches that are looked at side by side. `kept`: features of images that need not be read again."""
        self.sets, self.counts, self.encoder, self.scorers, self.asked = sets, counts, encoder, scorers, asked
        self.batch_size, self.threads, self.facts, self.file = batch_size, threads, facts, file
        self.lanes, self.kept = lanes, kept
        self.timers = Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in order and features; of a shard without images the stored statistics; of an exhibit small images."""
        if shard.exhibit is not None:
            return self._exhibit(shard.exhibit["entries"], tick)
        if shard.size == 0:
            return ShardOutput(table([]), stored_arrays(self.file), {}, self.timers.taken(), self.facts)
        first = self.counts[IMAGES]
        side, offset = (IMAGES, 0) if shard.start < first else (REFERENCE, first)
        start, stop = shard.start - offset, shard.stop - offset
        looks = self._recalled(side, start, stop)
        facts = {**self.facts, RECALLED: {side: len(looks)}}
        tick(len(looks))
        for begin, end in gaps(start, stop, looks):
            at = begin
            for fresh in self._looks(side, begin, end):
                looks |= dict(enumerate(fresh, at))
                at += len(fresh)
                tick(len(fresh))
        ordered = [looks[at] for at in range(start, stop)]
        good = [each.features for each in ordered if each.features is not None]
        arrays = {f"{side}|{head}": np.stack([each[head] for each in good]) for head in (good[0] if good else ())}
        return ShardOutput(table(each.row for each in ordered), arrays, {}, self.timers.taken(), facts)

    def _recalled(self, side: str, start: int, stop: int) -> dict[int, Look]:
        """Images by position whose features were kept; those that are scored for their prompts are looked at anyway."""
        if self.kept is None or (side == IMAGES and self.scorers):
            return {}
        images = self.sets[side]
        with self.timers("recall"):
            marks = {at: images.fingerprint(at) for at in range(start, stop)}
            found = self.kept.get(list(marks.values()))
            ids = images.ids()
        seen = ((at, ids[at], found[mark]) for at, mark in marks.items() if mark in found)
        return {
            at: Look(
                self._row(side, id, each.sha256, each.height, each.width, images.known(at).get("label")), each.features
            )
            for at, id, each in seen
        }

    def _looks(self, side: str, start: int, stop: int) -> Iterator[list[Look]]:
        """What is seen in images `start` to `stop`, batch by batch in their order; good ones are kept."""

        def look(batch: list[Sample | Unreadable]) -> tuple[list[Look], float]:
            began = time.perf_counter()
            return self._scored(side, batch), time.perf_counter() - began

        at = start
        batches = self._batches(side, start, stop)
        for fresh, seconds in side_by_side(look, batches, self.lanes, weight=_pixels, most=TOGETHER):
            self.timers.add("features", seconds / self.lanes)
            self._keep(side, at, fresh)
            at += len(fresh)
            yield fresh

    def _keep(self, side: str, start: int, looks: Sequence[Look]) -> None:
        if self.kept is None:
            return
        images = self.sets[side]
        self.kept.put(
            {
                images.fingerprint(at): SeenImage(
                    look.row["sha256"], look.row["height"], look.row["width"], look.features
                )
                for at, look in enumerate(looks, start)
                if look.features is not None
            }
        )

    def _scored(self, side: str, batch: Sequence[Sample | Unreadable]) -> list[Look]:
        """Images of one size, or one that cannot be read."""
        samples = [each for each in batch if isinstance(each, Sample)]
        if not samples:
            lost = [each for each in batch if isinstance(each, Unreadable)]
            return [Look({"id": e.id, "side": side, "sha256": e.sha256, "error": e.reason}) for e in lost]
        rows = [self._row_of(side, each) for each in samples]
        found = self._looked(side, samples, rows)
        if found is None:  # costs the one image that does not fit
            if len(samples) > 1:
                half = len(samples) // 2
                return [look for part in (samples[:half], samples[half:]) for look in self._scored(side, part)]
            return [Look({**rows[0], "error": TOO_LARGE})]
        for head, values in found.items():
            for i in np.flatnonzero(~np.isfinite(values).all(1)):
                rows[i]["error"] = f"its features ({head}) are not finite"
        return [
            Look(row, None if "error" in row else {head: values[i] for head, values in found.items()})
            for i, row in enumerate(rows)
        ]

    def _looked(
        self, side: str, samples: Sequence[Sample], rows: list[dict[str, Any]]
    ) -> Mapping[str, np.ndarray[Any, Any]] | None:
        """Features [k, d] by head of images of one size, None where memory ends; scores for prompts go into `rows`."""
        try:
            alone = samples[0].image[None] if len(samples) == 1 else None  # a large image is not copied
            x = torch.from_numpy(np.stack([s.image for s in samples]) if alone is None else alone).movedim(-1, -3)
            found: Mapping[str, np.ndarray[Any, Any]] = self.encoder(x)
            if side == IMAGES:
                self._prompted(x, rows)
        except MemoryError:
            return None
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            self.batch_size = max(1, len(samples) // 2)  # of the next shard
            return None
        return found

    def _prompted(self, x: torch.Tensor, rows: list[dict[str, Any]]) -> None:
        for name, scorer in self.scorers.items():
            values = scorer.score(x, [row["prompt"] or "" for row in rows])
            for row, value in zip(rows, values.tolist(), strict=True):
                row[name] = None if scorer.partial and np.isnan(value) else value
                if row[name] is not None and not np.isfinite(value):
                    row["error"] = f"its {name} is not finite"

    def _row_of(self, side: str, each: Sample) -> dict[str, Any]:
        height, width = each.image.shape[-3:-1]
        return self._row(side, each.id, each.sha256, height, width, each.meta.get("label"))

    def _row(
        self, side: str, id: str, sha256: str, height: int, width: int, label: str | None = None
    ) -> dict[str, Any]:
        """`label`: the class that the set knows; without one it is what was asked for, else the image's folder."""
        folder = PurePosixPath(id).parent.as_posix()
        own = self.asked if side == IMAGES else Asked()
        return {
            "id": id,
            "side": side,
            "sha256": sha256,
            "height": int(height),
            "width": int(width),
            "label": own.classes.get(id, label if label is not None or folder == "." else folder),
            "prompt": own.prompts.get(id),
        }

    def _batches(self, side: str, start: int, stop: int) -> Iterator[list[Sample | Unreadable]]:
        """Neighbours of one size, at most `batch_size` and about `TOGETHER` pixels; what cannot be read comes alone."""
        reader = self.sets[side].read(start, stop, threads=self.threads)
        batches = batched(reader, self.batch_size, pixels=TOGETHER, alike=_shape)
        for batch in self.timers.over("read", batches):
            yield [*batch]  # the list is emptied while its images are still looked at

    def _exhibit(self, entries: Sequence[Mapping[str, Any]], tick: Tick) -> ShardOutput:
        """Small copies of chosen images, and what the page says of each."""
        self.encoder.put_away()
        files: dict[str, bytes] = {}
        for entry in entries:
            at = int(entry["position"])
            sample = shown(self.sets[entry["side"]].read(at, at + 1, threads=1))
            if sample is not None:
                files[str(entry["file"])] = png_bytes(_small(sample.image))
            del sample  # no image is held while the next one is decoded
        tick(len(entries))
        return ShardOutput(table([]), {}, files, self.timers.taken(), {"shown": [dict(each) for each in entries]})


def stored_arrays(file: ReferenceFile | None) -> Arrays:
    """What a file of statistics holds, as `file|<name>`; features of KID are those of the reference's images."""
    if file is None:
        return {}
    arrays: Arrays = {}
    for names, stored in ((("mu", "sigma"), file.pool), (("mu_s", "sigma_s"), file.spatial)):
        if isinstance(stored, StoredGaussian):
            arrays |= {f"file|{names[0]}": stored.mean, f"file|{names[1]}": stored.sigma}
            if stored.n is not None:
                arrays["file|n"] = np.array(stored.n)
    if file.features is not None:
        arrays["file|feats"] = file.features
    return arrays


def gaps(start: int, stop: int, known: Mapping[int, object]) -> list[tuple[int, int]]:
    """Ranges between `start` and `stop` of what is not known.

    >>> gaps(0, 6, {1: "", 2: "", 5: ""})
    [(0, 1), (3, 5)]
    """
    edges = [start - 1, *sorted(known), stop]
    return [(a + 1, b) for a, b in itertools.pairwise(edges) if b - a > 1]


def _pixels(batch: Sequence[Sample | Unreadable]) -> int:
    return sum(each.image.size // 3 for each in batch if isinstance(each, Sample))


def _shape(each: Sample | Unreadable) -> tuple[int, ...] | str:
    return each.image.shape if isinstance(each, Sample) else each.id


def _small(image: Pixels) -> Pixels:
    image = image[0] if image.ndim > 3 else image  # a video's first frame
    height, width = image.shape[:2]
    scale = THUMBNAIL / max(height, width)
    if scale >= 1:
        return image
    return resize_exact(image, (max(1, round(height * scale)), max(1, round(width * scale))), "bicubic")
