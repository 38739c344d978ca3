"""One shard of a scoring: images are read, looked at by every network, and scored for their prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch

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

TOGETHER = 2**24  # pixels of images that are looked at together, one more image aside
THUMBNAIL = 256  # pixels of the longer side of an image that stays with the run
Arrays = dict[str, np.ndarray[Any, Any]]


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
    ) -> None:
        self.sets, self.counts, self.encoder, self.scorers, self.asked = sets, counts, encoder, scorers, asked
        self.batch_size, self.threads, self.facts, self.file = batch_size, threads, facts, file
        self.timers = Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in order and features; of a shard without images the stored statistics; of an exhibit small images."""
        if shard.exhibit is not None:
            return self._exhibit(shard.exhibit["entries"], tick)
        if shard.size == 0:
            return ShardOutput(table([]), stored_arrays(self.file), {}, self.timers.taken(), self.facts)
        first = self.counts[IMAGES]
        side, offset = (IMAGES, 0) if shard.start < first else (REFERENCE, first)
        rows: list[dict[str, Any]] = []
        features: dict[str, list[np.ndarray[Any, Any]]] = defaultdict(list)
        reader = self.sets[side].read(shard.start - offset, shard.stop - offset, threads=self.threads)
        batches = batched(reader, self.batch_size, pixels=TOGETHER, alike=_shape)
        for batch in self.timers.over("read", batches):
            rows += self._scored(side, batch, features)
            tick(len(batch))
        arrays = {f"{side}|{head}": np.concatenate(parts) for head, parts in features.items()}
        return ShardOutput(table(rows), arrays, {}, self.timers.taken(), self.facts)

    def _scored(
        self, side: str, batch: Sequence[Sample | Unreadable], features: dict[str, list[np.ndarray[Any, Any]]]
    ) -> list[dict[str, Any]]:
        """Rows of images of one size, or of one that cannot be read; features of the good ones are appended."""
        samples = [each for each in batch if isinstance(each, Sample)]
        if not samples:
            return [{"id": e.id, "side": side, "sha256": e.sha256, "error": getattr(e, "reason", "")} for e in batch]
        rows = [self._row(side, sample) for sample in samples]
        found = self._looked(side, samples, rows)
        if found is None:  # costs the one image that does not fit
            if len(samples) > 1:
                return [row for each in samples for row in self._scored(side, [each], features)]
            return [{**rows[0], "error": TOO_LARGE}]
        for head, values in found.items():
            for i in np.flatnonzero(~np.isfinite(values).all(1)):
                rows[i]["error"] = f"its features ({head}) are not finite"
        good = [i for i, row in enumerate(rows) if "error" not in row]
        if good:
            for head, values in found.items():
                features[head].append(values[good])
        return rows

    def _looked(
        self, side: str, samples: Sequence[Sample], rows: list[dict[str, Any]]
    ) -> Mapping[str, np.ndarray[Any, Any]] | None:
        """Features [k, d] by head of images of one size, None where memory ends; scores for prompts go into `rows`."""
        try:
            alone = samples[0].image[None] if len(samples) == 1 else None  # a large image is not copied
            x = torch.from_numpy(np.stack([s.image for s in samples]) if alone is None else alone).movedim(-1, -3)
            with self.timers("features"):
                found: Mapping[str, np.ndarray[Any, Any]] = self.encoder(x)
            if side == IMAGES:
                with self.timers("scores"):
                    self._prompted(x, rows)
        except MemoryError:
            return None
        return found

    def _prompted(self, x: torch.Tensor, rows: list[dict[str, Any]]) -> None:
        for name, scorer in self.scorers.items():
            values = scorer.score(x, [row["prompt"] or "" for row in rows])
            for row, value in zip(rows, values.tolist(), strict=True):
                row[name] = None if scorer.partial and np.isnan(value) else value
                if row[name] is not None and not np.isfinite(value):
                    row["error"] = f"its {name} is not finite"

    def _row(self, side: str, sample: Sample) -> dict[str, Any]:
        folder = PurePosixPath(sample.id).parent.as_posix()
        own = self.asked if side == IMAGES else Asked()
        return {
            "id": sample.id,
            "side": side,
            "sha256": sample.sha256,
            "height": int(sample.image.shape[-3]),
            "width": int(sample.image.shape[-2]),
            "label": own.classes.get(sample.id, None if folder == "." else folder),
            "prompt": own.prompts.get(sample.id),
        }

    def _exhibit(self, entries: Sequence[Mapping[str, Any]], tick: Tick) -> ShardOutput:
        """Small copies of chosen images, and what the page says of each."""
        files: dict[str, bytes] = {}
        for entry in entries:
            at = int(entry["position"])
            sample = shown(self.sets[IMAGES].read(at, at + 1, threads=1))
            if sample is not None:
                files[str(entry["file"])] = png_bytes(_small(sample.image))
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


def _shape(each: Sample | Unreadable) -> tuple[int, ...] | str:
    return each.image.shape if isinstance(each, Sample) else each.id


def _small(image: Pixels) -> Pixels:
    image = image[0] if image.ndim > 3 else image  # a video's first frame
    height, width = image.shape[:2]
    scale = THUMBNAIL / max(height, width)
    if scale >= 1:
        return image
    return resize_exact(image, (max(1, round(height * scale)), max(1, round(width * scale))), "bicubic")
