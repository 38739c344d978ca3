"""Log-likelihoods of pixels that a model's own program states: bits per dimension of each image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet, Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.jsonio import read_json_lines
from evalkit.metrics.likelihood import reported_columns
from evalkit.tasks.likelihood.rows import table

FIELD = "log_likelihood"


def read_reported(path: Path) -> dict[str, float]:
    """Nats by image from JSON lines of `id` and `log_likelihood`; raises `EvalkitError` where a line is another one."""
    if not path.is_file():
        raise EvalkitError(f"{path} is not there. Give JSON lines with id and {FIELD} of each image")
    found: dict[str, float] = {}
    for number, row in read_json_lines(path):
        value = row.get(FIELD) if isinstance(row, dict) else None
        id = row.get("id") if isinstance(row, dict) else None
        if not isinstance(id, str) or isinstance(value, bool) or not isinstance(value, int | float):
            raise EvalkitError(f"line {number} of {path} lacks id or {FIELD}. Give both, the latter in nats")
        if not math.isfinite(value):
            raise EvalkitError(f"line {number} of {path} holds {value}. Give finite nats")
        if id in found:
            raise EvalkitError(f"{path} holds {id} twice. Give one line an image")
        found[id] = float(value)
    return found


def stated(values: Mapping[str, float], id: str) -> float | None:
    """What is stated of an image, by its id or by its id without ending."""
    return values.get(id, values.get(str(PurePosixPath(id).with_suffix(""))))


class ReportedWorker(Worker):
    """Holds the images, whose sizes are the dimensions, and what is stated of each."""

    def __init__(self, images: ImageSet, values: Mapping[str, float], *, threads: int) -> None:
        self.images, self.values, self.threads = images, values, threads
        self.timers = Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in order."""
        rows = []
        with self.timers("read"):
            for each in self.images.read(shard.start, shard.stop, threads=self.threads):
                rows.append(self._row(each))
                tick(1)
        return ShardOutput(table(rows), seconds=self.timers.taken())

    def _row(self, each: Sample | Unreadable) -> dict[str, Any]:
        row: dict[str, Any] = {"id": each.id, "sha256": each.sha256}
        if isinstance(each, Unreadable):
            return {**row, "error": each.reason}
        height, width = (int(side) for side in each.image.shape[:2])
        row |= {"height": height, "width": width}
        value = stated(self.values, each.id)
        if value is None:
            return {**row, "error": "no log-likelihood is stated of it"}
        return {**row, **reported_columns(value, height, width)}
