"""What a shard of a tokenizer's evaluation leaves, gathered in sample order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.images.sample import Sample, Unreadable
from evalkit.jobs.shard import ShardOutput
from evalkit.jobs.timers import Timers
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tasks.tokenizer.finish import Done
from evalkit.tasks.tokenizer.pair import Pair
from evalkit.tasks.tokenizer.pixels import Feed
from evalkit.tasks.tokenizer.rows import table

COUNTED_VOCABULARY = 2**20  # codebook use is counted up to this size
Passed = tuple[Sample | Unreadable, Done | None]  # an image, and what became of it where it could be read


class Gathered:
    """Rows (protocols inside samples), arrays `<protocol>|<what>`, and files of the images that are kept."""

    def __init__(
        self, start: int, feeds: Sequence[Feed], evaluators: Evaluators, vocabulary: int | None, timers: Timers
    ) -> None:
        self.feeds, self.evaluators, self.vocabulary, self.timers = feeds, evaluators, vocabulary, timers
        self._position = start
        self._rows: list[dict[str, Any]] = []
        self._counts: dict[str, np.ndarray[Any, Any]] = {}
        self._features: dict[str, list[np.ndarray[Any, Any]]] = defaultdict(list)
        self._files: dict[str, bytes] = {}
        self._groups: dict[tuple[str, str], list[Pair]] = defaultdict(list)

    def add(self, passed: Sequence[Passed]) -> None:
        """The next images; networks look at them together."""
        for each, done in passed:
            for feed in self.feeds:
                pair = None if done is None else done.pairs[feed.protocol.id]
                if isinstance(pair, Pair):
                    self._keep(pair, feed)
                self._rows.append(pair.row if isinstance(pair, Pair) else _failed(each, feed.protocol.id, pair))
            self._position += 1
        for feed in self.feeds:
            mine = [done for _, done in passed if done is not None]
            self._count(mine, feed)
            self._score(feed, [pair for done in mine if isinstance(pair := done.pairs[feed.protocol.id], Pair)])

    def output(self, facts: Mapping[str, Any]) -> ShardOutput:
        """All of it; scores of neighbours come last."""
        protocols = {feed.protocol.id: feed.protocol for feed in self.feeds}
        for (protocol, _), pairs in self._groups.items():
            self.evaluators.score_groups(protocols[protocol], pairs, self.timers)
        features = {key: np.concatenate(parts) for key, parts in self._features.items() if parts}
        return ShardOutput(table(self._rows), {**self._counts, **features}, self._files, self.timers.taken(), facts)

    def _keep(self, pair: Pair, feed: Feed) -> None:
        if feed.protocol.ssim.data_range == "batch":
            self._groups[feed.protocol.id, str(pair.row["subset"])].append(pair)
        if pair.files is not None:
            stem = f"images/{self._position:08d}-{feed.protocol.id}"
            names = (f"{stem}-original.png", f"{stem}-reconstruction.png")
            self._files.update(zip(names, pair.files, strict=True))

    def _count(self, done: Sequence[Done], feed: Feed) -> None:
        outputs = [each.outputs[feed.key] for each in done]
        for output in outputs:
            if output.image is not None:
                for name, value in output.columns.items():
                    if isinstance(value, np.ndarray):
                        self._features[f"{feed.protocol.id}|{name}"].append(value[None])
        used = [each.indices for each in outputs if each.indices is not None]
        if not used or not self.vocabulary or self.vocabulary > COUNTED_VOCABULARY:
            return
        key = f"{feed.protocol.id}|codes"
        tally = np.bincount(np.concatenate(used), minlength=self.vocabulary)
        self._counts[key] = self._counts.get(key, 0) + tally

    def _score(self, feed: Feed, pairs: list[Pair]) -> None:
        if not pairs:
            return
        self.evaluators.score_by_networks(feed.protocol, pairs, self.timers)
        for name, original, reconstruction in self.evaluators.features(feed.protocol, pairs, self.timers):
            self._features[f"{feed.protocol.id}|{name}|original"].append(original)
            self._features[f"{feed.protocol.id}|{name}|reconstruction"].append(reconstruction)


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
