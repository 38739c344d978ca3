"""One shard of a tokenizer's evaluation: read, feed, encode, decode, score."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.images.encode import png_bytes
from evalkit.images.loader import TOO_LARGE, worked_ahead
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.rate import BPP, bits_per_pixel
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tasks.tokenizer.forward import Forward, Output
from evalkit.tasks.tokenizer.keep import files_of, made_again
from evalkit.tasks.tokenizer.pair import Pair
from evalkit.tasks.tokenizer.pixels import (
    Feed,
    model_input,
    scored_original,
    scored_reconstructions,
)
from evalkit.tasks.tokenizer.rows import table
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.cards import tokenizer_cards

BATCH_PIXELS = 2**25  # decoded pixels from which a batch is full
COUNTED_VOCABULARY = 2**20  # codebook use is counted up to this size
Arrays = dict[str, np.ndarray[Any, Any]]
Features = dict[str, list[np.ndarray[Any, Any]]]
Fed = dict[tuple[str, int, bool], Pixels]  # by `Feed.key`


class ReconstructionWorker(Worker):
    """Holds the tokenizer and the evaluator networks; `process` gives rows, features and code counts of a shard."""

    def __init__(
        self,
        images: ImageSet,
        model: Tokenizer,
        feeds: Sequence[Feed],
        evaluators: Evaluators,
        *,
        batch_size: int,
        threads: int,
        seed: int,
        keep_all: bool,
    ) -> None:
        self.images, self.model, self.feeds, self.evaluators = images, model, feeds, evaluators
        self.batch_size, self.threads, self.keep_all, self.timers = batch_size, threads, keep_all, Timers()
        self.forward = Forward(model, evaluators.tasks, batch_size=batch_size, seed=seed, timers=self.timers)

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in sample order (protocols inside), arrays `<protocol>|<what>`, pictures when all are kept."""
        if shard.exhibit is not None:
            return self._exhibit(shard.exhibit["entries"], tick)
        rows: list[dict[str, Any]] = []
        counts: Arrays = {}
        features: Features = defaultdict(list)
        files: dict[str, bytes] = {}
        groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)
        position = shard.start
        for read in self._batches(shard):
            batch = [each for each, _ in read]
            good = [each for each in batch if isinstance(each, Sample)]
            done = self._reconstruct(good, [fed for each, fed in read if isinstance(each, Sample)], counts, features)
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
            del read, batch, good, done, each, pair, pairs  # no image is held while the next one is decoded
        protocols = {feed.protocol.id: feed.protocol for feed in self.feeds}
        for (protocol, _), pairs in groups.items():
            self.evaluators.score_groups(protocols[protocol], pairs, self.timers)
        arrays = {**counts, **{key: np.concatenate(parts) for key, parts in features.items() if parts}}
        return ShardOutput(table(rows), arrays, files, self.timers.taken(), self._facts())

    def _exhibit(self, entries: Sequence[Mapping[str, Any]], tick: Tick) -> ShardOutput:
        """Files of the hardest hit images, made again in listing order, and their index."""
        again = Forward(self.model, frozenset(), batch_size=self.batch_size, seed=self.forward.seed, timers=self.timers)
        made = {
            position: made_again(self.images, again, self.feeds[0], position)
            for position in sorted({each["position"] for each in entries})
        }
        tick(len(entries))
        return ShardOutput(table([]), {}, files_of(entries, made), self.timers.taken())

    def _facts(self) -> dict[str, Any]:
        found = self.evaluators
        return {
            "model": model_state(self.model),
            "judges": {"weights": found.weights, "unavailable": found.unavailable},
        }

    def _fed(self, each: Sample | Unreadable) -> Fed:
        """What the model is fed of an image, for each way to prepare it; done where images are read."""
        if not isinstance(each, Sample):
            return {}
        return {key: _fed(each.image, feed) for key, feed in {feed.key: feed for feed in self.feeds}.items()}

    def _batches(self, shard: Shard) -> Iterator[list[tuple[Sample | Unreadable, Fed]]]:
        images = self.images.read(shard.start, shard.stop, threads=self.threads)
        reader = worked_ahead(images, self._fed, self.threads)
        while True:
            batch: list[tuple[Sample | Unreadable, Fed]] = []
            with self.timers("read"):
                while len(batch) < self.batch_size and _pixels(batch) < BATCH_PIXELS and (each := next(reader, None)):
                    batch.append(each)
            if not batch:
                return
            yield batch
            del each

    def _reconstruct(
        self, samples: list[Sample], ready: list[Fed], arrays: Arrays, features: Features
    ) -> dict[tuple[str, str], Pair | str]:
        done: dict[tuple[str, str], Pair | str] = {}
        passes: dict[tuple[Any, ...], tuple[list[Pixels], list[Output]]] = {}
        for feed in self.feeds:
            if feed.key not in passes:
                passes[feed.key] = self._forward([each[feed.key] for each in ready], feed)
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
                done[sample.id, feed.protocol.id] = Pair(sample.meta, original, reconstruction, row)
        return done

    def _forward(self, fed: list[Pixels], feed: Feed) -> tuple[list[Pixels], list[Output]]:
        """What the samples are fed and give; of one that did not fit into memory the fed image is empty."""
        made = iter(self.forward([each for each in fed if each.size], feed))
        return fed, [next(made) if each.size else Output(reason=TOO_LARGE) for each in fed]

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
        self.evaluators.score(feed.protocol, pairs, self.timers)
        for name, original, reconstruction in self.evaluators.features(feed.protocol, pairs, self.timers):
            features[f"{feed.protocol.id}|{name}|original"].append(original)
            features[f"{feed.protocol.id}|{name}|reconstruction"].append(reconstruction)


def _fed(image: Pixels, feed: Feed) -> Pixels:
    """The model's input; an empty image where there is no memory for it."""
    try:
        return model_input(image, feed)
    except MemoryError:
        return np.empty((0, 0, 3), np.uint8)


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


def _pixels(batch: Sequence[tuple[Sample | Unreadable, Fed]]) -> int:
    return sum(each.image.size // 3 for each, _ in batch if isinstance(each, Sample))


def _pictures(position: int, pair: Pair) -> dict[str, bytes]:
    stem = f"images/{position:08d}-{pair.row['protocol']}"
    return {
        f"{stem}-original.png": png_bytes(pair.original),
        f"{stem}-reconstruction.png": png_bytes(pair.reconstruction),
    }


def model_state(model: Tokenizer) -> dict[str, Any]:
    """What a record says of the loaded tokenizer."""
    card = tokenizer_cards().get(model.name)
    return {
        "name": model.name,
        "title": card.title if card else model.name,
        "weights_sha256": model.weights_sha256,
        "device": str(getattr(model, "device", "cpu")),
        "dtype": str(getattr(model, "dtype", "float32")).removeprefix("torch."),
        "deterministic": model.deterministic,
        "vocab_size": model.vocab_size,
        "card": {} if card is None else {k: v for k, v in vars(card).items() if isinstance(v, str | int | float)},
    }
