"""One shard of a tokenizer's evaluation: read, feed, encode, decode, score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.images.encode import png_bytes
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable
from evalkit.jobs.job import Shard, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.rate import BPP, bits_per_pixel
from evalkit.runs.store import ShardOutput
from evalkit.tasks.tokenizer.evaluators import Judges
from evalkit.tasks.tokenizer.forward import Forward, Output
from evalkit.tasks.tokenizer.pixels import (
    Feed,
    model_input,
    scored_original,
    scored_reconstructions,
)
from evalkit.tasks.tokenizer.rows import table
from evalkit.tokenizers.base import Tokenizer

BATCH_PIXELS = 2**27  # decoded pixels from which a batch is full
COUNTED_VOCABULARY = 2**20  # codebook use is counted up to this size
Arrays = dict[str, np.ndarray[Any, Any]]
Features = dict[str, list[np.ndarray[Any, Any]]]


@dataclass
class Pair:
    """One sample under one protocol on its way through the worker."""

    sample: Sample
    original: Pixels
    reconstruction: Pixels
    row: dict[str, Any]


class ReconstructionWorker(Worker):
    """Holds the tokenizer and the judges; `process` gives rows, features and code counts of a shard."""

    def __init__(
        self,
        images: ImageSet,
        model: Tokenizer,
        feeds: Sequence[Feed],
        judges: Judges,
        *,
        batch_size: int,
        threads: int,
        seed: int,
        keep_all: bool,
        timers: Timers,
    ) -> None:
        self.images, self.model, self.feeds, self.judges = images, model, feeds, judges
        self.batch_size, self.threads, self.keep_all, self.timers = batch_size, threads, keep_all, timers
        self.forward = Forward(model, judges.tasks, batch_size=batch_size, seed=seed, timers=timers)

    def process(self, shard: Shard, tick: Callable[[int], None]) -> ShardOutput:
        """Rows in sample order (protocols inside), arrays `<protocol>|<what>`, pictures when all are kept."""
        rows: list[dict[str, Any]] = []
        counts: Arrays = {}
        features: Features = defaultdict(list)
        files: dict[str, bytes] = {}
        groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
        position = shard.start
        for batch in self._batches(shard):
            good = [each for each in batch if isinstance(each, Sample)]
            done = self._reconstruct(good, counts, features)
            for each in batch:
                for feed in self.feeds:
                    pair = done.get((each.id, feed.protocol.id))
                    row = pair.row if isinstance(pair, Pair) else _failed(each, feed.protocol.id, pair)
                    rows.append(row)
                    if isinstance(pair, Pair):
                        if feed.protocol.ssim.data_range == "batch":
                            groups[feed.protocol.id, str(pair.row["subset"])].append(pair)
                        if self.keep_all:
                            files.update(_pictures(position, pair))
                position += 1
            for feed in self.feeds:
                pairs = [p for each in good if isinstance(p := done.get((each.id, feed.protocol.id)), Pair)]
                self._score(feed, pairs, features)
            tick(len(batch))
        protocols = {feed.protocol.id: feed.protocol for feed in self.feeds}
        for (protocol, _), pairs in groups.items():
            self.judges.score_groups(protocols[protocol], pairs, self.timers)
        arrays = {**counts, **{key: np.concatenate(parts) for key, parts in features.items() if parts}}
        return ShardOutput(table(rows), arrays, files)

    def _batches(self, shard: Shard) -> Iterator[list[Sample | Unreadable]]:
        reader = self.images.read(shard.start, shard.stop, threads=self.threads)
        while True:
            batch: list[Sample | Unreadable] = []
            with self.timers("read"):
                while len(batch) < self.batch_size and _pixels(batch) < BATCH_PIXELS and (each := next(reader, None)):
                    batch.append(each)
            if not batch:
                return
            yield batch

    def _reconstruct(
        self, samples: list[Sample], arrays: Arrays, features: Features
    ) -> dict[tuple[str, str], Pair | str]:
        done: dict[tuple[str, str], Pair | str] = {}
        passes: dict[tuple[Any, ...], tuple[list[Pixels], list[Output]]] = {}
        for feed in self.feeds:
            if feed.key not in passes:
                with self.timers("prepare"):
                    fed = [model_input(sample.image, feed) for sample in samples]
                passes[feed.key] = (fed, self.forward(fed, feed))
            fed, outputs = passes[feed.key]
            self._count(outputs, feed, arrays)
            for sample, image, output in zip(samples, fed, outputs, strict=True):
                if output.picture is None:
                    done[sample.id, feed.protocol.id] = output.reason or "the model gave no image"
                    continue
                with self.timers("prepare"):
                    original = scored_original(image, feed)
                    (reconstruction,) = scored_reconstructions(output.picture[None], feed)
                row = _row(sample, feed, output, image)
                for name, value in output.columns.items():
                    if isinstance(value, np.ndarray):
                        features[f"{feed.protocol.id}|{name}"].append(value[None])
                    else:
                        row[name] = value
                done[sample.id, feed.protocol.id] = Pair(sample, original, reconstruction, row)
        return done

    def _count(self, outputs: Sequence[Output], feed: Feed, arrays: Arrays) -> None:
        vocabulary = self.model.vocab_size
        used = [each.indices for each in outputs if each.indices is not None]
        if not used or not vocabulary or vocabulary > COUNTED_VOCABULARY:
            return
        key = f"{feed.protocol.id}|codes"
        tally = np.bincount(np.concatenate(used), minlength=vocabulary)
        arrays[key] = arrays.get(key, 0) + tally

    def _score(self, feed: Feed, pairs: list[Pair], features: Features) -> None:
        if not pairs:
            return
        self.judges.score(feed.protocol, pairs, self.timers)
        for name, original, reconstruction in self.judges.features(feed.protocol, pairs, self.timers):
            features[f"{feed.protocol.id}|{name}|original"].append(original)
            features[f"{feed.protocol.id}|{name}|reconstruction"].append(reconstruction)


def _row(sample: Sample, feed: Feed, output: Output, fed: Pixels) -> dict[str, Any]:
    return {
        "id": sample.id,
        "protocol": feed.protocol.id,
        "sha256": sample.sha256,
        "subset": sample.meta.get("subset"),
        "task": sample.meta.get("task"),
        "height": int(sample.image.shape[0]),
        "width": int(sample.image.shape[1]),
        "codes": output.codes,
        BPP.name: None if output.bits is None else bits_per_pixel(output.bits, *fed.shape[:2]),
    }


def _failed(each: Sample | Unreadable, protocol: str, reason: str | None) -> dict[str, Any]:
    meta = each.meta if isinstance(each, Sample) else {}
    reason = each.reason if isinstance(each, Unreadable) else reason
    return {
        "id": each.id,
        "protocol": protocol,
        "sha256": each.sha256,
        "subset": meta.get("subset"),
        "task": meta.get("task"),
        "error": reason,
    }


def _pixels(batch: Sequence[Sample | Unreadable]) -> int:
    return sum(each.image.size // 3 for each in batch if isinstance(each, Sample))


def _pictures(position: int, pair: Pair) -> dict[str, bytes]:
    stem = f"{position:08d}-{pair.row['protocol']}"
    return {
        f"{stem}-original.png": png_bytes(pair.original),
        f"{stem}-reconstruction.png": png_bytes(pair.reconstruction),
    }
