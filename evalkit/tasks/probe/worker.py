"""Stage 1 of a probe: the evidence of a shard's images, and small copies of chosen ones for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.loader import batched, shown
from evalkit.images.sample import Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.tasks.probe.evidence.record import Evidence
from evalkit.tasks.probe.gallery import gallery_file, small_copy
from evalkit.tasks.probe.listing import Listing, Placed
from evalkit.tasks.probe.suite import Encoders, ProbeImage, Suite
from evalkit.tasks.probe.table import looked, looked_row


class LookingWorker(Worker):
    """Holds the networks; every image becomes a row with its evidence."""

    def __init__(
        self, suite: Suite, listing: Listing, encoders: Encoders, *, model: str, allow_missing: bool, threads: int = 2
    ) -> None:
        self.suite, self.listing, self.encoders, self.model = suite, listing, encoders, model
        self.allow_missing, self.threads, self.timers = allow_missing, threads, Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in the suite's order; facts: what the evidence was made with."""
        if shard.exhibit is not None:
            return self._copies(shard.exhibit["positions"])
        rows: list[dict[str, Any]] = []
        batches = batched(self.listing.read(shard.start, shard.stop, threads=self.threads), shard.size)
        for read in self.timers.over("read", batches):
            rows += self._looked(self.listing.images[shard.start + len(rows) :][: len(read)], read)
            tick(len(read))
        facts = {"evidence": {**self.suite.facts(self.encoders), "model": self.model}}
        if self.encoders.judge is not None:
            facts["usage"] = dict(self.encoders.judge.used)
        return ShardOutput(looked(rows), seconds=self.timers.taken(), facts=facts)

    def close(self) -> None:
        """Close the store of replies."""
        if self.encoders.judge is not None:
            self.encoders.judge.close()

    def _looked(self, placed: Sequence[Placed], read: Sequence[Sample | Unreadable]) -> list[dict[str, Any]]:
        """The rows of some images with their evidence."""
        rows = {each.name: self._failed(each, sample) for each, sample in zip(placed, read, strict=True)}
        good = [
            ProbeImage(each.name, each.prompt, each.sample, sample.image, None if each.part else each.path)
            for each, sample in zip(placed, read, strict=True)
            if isinstance(sample, Sample)
        ]
        with self.timers("evidence"):
            for seen in self.suite.evidence(good, self.encoders):
                rows[seen.image] = looked_row(seen, rows[seen.image]["sha256"])
        return list(rows.values())

    def _failed(self, placed: Placed, sample: Sample | Unreadable) -> dict[str, Any]:
        """The row of an image before it is looked at; raises where it cannot be, and that was not allowed."""
        row = {"id": placed.id, "prompt_id": placed.prompt, "sample": placed.sample, "image": placed.name}
        if isinstance(sample, Sample):
            if sample.sha256 != placed.sha256:
                raise EvalkitError(
                    f"{placed.name} is not the file that was listed, so it was changed. Give a fresh --out"
                )
            return {**row, "sha256": sample.sha256}
        if not self.allow_missing:
            raise EvalkitError(f"{placed.name} cannot be read: {sample.reason}. Make it again, or give --allow-missing")
        return {**row, "sha256": sample.sha256, "error": sample.reason}

    def _copies(self, positions: Sequence[int]) -> ShardOutput:
        files = {}
        with self.timers("gallery"):
            for position in positions:
                sample = shown(self.listing.read(position, position + 1, threads=1))
                if sample is not None:
                    files[gallery_file(position)] = small_copy(sample.image)
        return ShardOutput(looked([]), files=files, seconds=self.timers.taken())


class GivenWorker(Worker):
    """Takes evidence that was made before."""

    def __init__(self, evidence: Evidence, suite: Suite, model: str) -> None:
        self.evidence = evidence
        self.facts = {**evidence.facts, "suite": suite.name, "model": model}

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in the suite's order."""
        rows = [looked_row(each) for each in self.evidence.images[shard.start : shard.stop]]
        tick(len(rows))
        return ShardOutput(looked(rows), facts={"evidence": self.facts})
