"""One shard of a tokenizer's evaluation: read, feed, encode, decode, score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.images.encode import png_bytes
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable
from evalkit.probes.reconstruction.judges import Judges
from evalkit.probes.reconstruction.pixels import (
    Feed,
    model_input,
    scored_original,
    scored_reconstructions,
    to_batch,
)
from evalkit.probes.reconstruction.rows import table
from evalkit.probes.reconstruction.survival import survival
from evalkit.runs.job import Shard, Worker
from evalkit.runs.store import ShardOutput
from evalkit.runs.timers import Timers
from evalkit.tokenizers.base import Codes, Tokenizer

COUNTED_VOCABULARY = 2**20  # codebook use is counted up to this size
Outputs = list[tuple[Tensor | str, int, float | None, dict[str, float | None]]]


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
        self.batch_size, self.threads, self.seed, self.keep_all = batch_size, threads, seed, keep_all
        self.timers = timers

    def process(self, shard: Shard, tick: Callable[[int], None]) -> ShardOutput:
        """Rows in sample order (protocols inside), arrays `<protocol>|<what>`, pictures when all are kept."""
        rows: list[dict[str, Any]] = []
        counts: dict[str, np.ndarray[Any, Any]] = {}
        features: dict[str, list[np.ndarray[Any, Any]]] = defaultdict(list)
        files: dict[str, bytes] = {}
        groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
        position = shard.start
        for batch in self._batches(shard):
            good = [each for each in batch if isinstance(each, Sample)]
            done = self._reconstruct(good, counts)
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
            with self.timers("read"):
                batch = [each for _, each in zip(range(self.batch_size), reader, strict=False)]
            if not batch:
                return
            yield batch

    def _reconstruct(
        self, samples: list[Sample], counts: dict[str, np.ndarray[Any, Any]]
    ) -> dict[tuple[str, str], Pair | str]:
        done: dict[tuple[str, str], Pair | str] = {}
        passes: dict[tuple[Any, ...], tuple[list[Pixels], Outputs]] = {}
        for feed in self.feeds:
            if feed.key not in passes:
                with self.timers("prepare"):
                    fed = [model_input(sample.image, feed) for sample in samples]
                passes[feed.key] = (fed, self._forward(fed, feed, counts))
            fed, outputs = passes[feed.key]
            for sample, image, (output, codes, bits, survived) in zip(samples, fed, outputs, strict=True):
                if isinstance(output, str):
                    done[sample.id, feed.protocol.id] = output
                    continue
                with self.timers("prepare"):
                    original = scored_original(image, feed)
                    (reconstruction,) = scored_reconstructions(output[None], feed)
                row = {**_row(sample, feed, codes, bits), **survived}
                done[sample.id, feed.protocol.id] = Pair(sample, original, reconstruction, row)
        return done

    def _forward(self, images: list[Pixels], feed: Feed, counts: dict[str, np.ndarray[Any, Any]]) -> Outputs:
        """(picture or the reason why not, codes, bits, survival) of each; a bad picture never costs the others."""
        if not images:
            return []
        try:
            with self.timers("encode"):
                codes = self.model.encode(to_batch(images, feed))
            with self.timers("decode"):
                decoded = self.model.decode(codes, seed=self.seed).float().cpu()
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            if len(images) == 1:
                raise EvalkitError(
                    f"one {feed.size} px picture does not fit the device's memory; give --device cpu, "
                    "a smaller --size or --dtype bfloat16"
                ) from None
            self.batch_size = max(1, len(images) // 2)
            return self._in_pieces(images, feed, counts, self.batch_size)
        except EvalkitError as error:
            if len(images) == 1:
                return [(str(error), 0, None, {})]
            return self._in_pieces(images, feed, counts, 1)
        self._count(codes, feed, counts)
        survived: list[dict[str, float | None]] = [{} for _ in images]
        if "survival" in self.judges.tasks:
            with self.timers("survival"):
                survived = survival(self.model, codes, decoded)
        return list(zip(decoded, _lengths(codes), self.model.image_bits(codes), survived, strict=True))

    def _in_pieces(
        self, images: list[Pixels], feed: Feed, counts: dict[str, np.ndarray[Any, Any]], size: int
    ) -> Outputs:
        starts = range(0, len(images), size)
        return [each for start in starts for each in self._forward(images[start : start + size], feed, counts)]

    def _count(self, codes: Codes, feed: Feed, counts: dict[str, np.ndarray[Any, Any]]) -> None:
        vocabulary = self.model.vocab_size
        if codes.indices is None or not vocabulary or vocabulary > COUNTED_VOCABULARY:
            return
        used = codes.indices[codes.indices >= 0].cpu().numpy()
        tally = np.bincount(used, minlength=vocabulary)
        for each in self.feeds:
            if each.key == feed.key:
                key = f"{each.protocol.id}|codes"
                counts[key] = counts.get(key, 0) + tally

    def _score(self, feed: Feed, pairs: list[Pair], features: dict[str, list[np.ndarray[Any, Any]]]) -> None:
        if not pairs:
            return
        self.judges.score(feed.protocol, pairs, self.timers)
        for name, original, reconstruction in self.judges.features(feed.protocol, pairs, self.timers):
            features[f"{feed.protocol.id}|{name}|original"].append(original)
            features[f"{feed.protocol.id}|{name}|reconstruction"].append(reconstruction)


def _row(sample: Sample, feed: Feed, codes: int, bits: float | None) -> dict[str, Any]:
    return {
        "id": sample.id,
        "protocol": feed.protocol.id,
        "sha256": sample.sha256,
        "subset": sample.meta.get("subset"),
        "task": sample.meta.get("task"),
        "height": int(sample.image.shape[0]),
        "width": int(sample.image.shape[1]),
        "codes": codes,
        "bpp": None if bits is None else bits / feed.size**2,
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


def _lengths(codes: Codes) -> list[int]:
    if codes.indices is not None:
        return [int((row >= 0).sum()) for row in codes.indices]
    per_image = codes.values.shape[1] if codes.bits is not None else codes.values[0, 0].numel()
    return [int(per_image)] * len(codes)


def _pictures(position: int, pair: Pair) -> dict[str, bytes]:
    stem = f"{position:08d}-{pair.row['protocol']}"
    return {
        f"{stem}-original.png": png_bytes(pair.original),
        f"{stem}-reconstruction.png": png_bytes(pair.reconstruction),
    }
