"""One shard of a generation: requests in, PNG files and rows out; a bad request costs itself only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from evalkit.errors import EvalkitError
from evalkit.generators.base import Failed, Generator, Image, Request
from evalkit.images.encode import png_bytes
from evalkit.jobs.job import Progress, Shard, Worker
from evalkit.jobs.timers import Timers
from evalkit.prompts.load import Prompt
from evalkit.runs.store import ShardOutput
from evalkit.tasks.generate.rows import made, row_of, table

Asked = tuple[Prompt, int, Request]


class GenerationWorker(Worker):
    """Holds the generator; `process` gives rows, seconds and PNG files of a shard."""

    def __init__(
        self,
        generator: Generator,
        asked: Callable[[int], Asked],
        *,
        batch_size: int,
        timers: Timers,
        progress: Progress,
    ) -> None:
        self.generator, self.asked, self.batch_size = generator, asked, batch_size
        self.timers, self.progress = timers, progress

    def process(self, shard: Shard, tick: Callable[[int], None]) -> ShardOutput:
        """Rows in request order; `seconds` [n]; files named by position."""
        rows: list[dict[str, Any]] = []
        seconds: list[float] = []
        files: dict[str, bytes] = {}
        for start in range(shard.start, shard.stop, self.batch_size):
            positions = range(start, min(start + self.batch_size, shard.stop))
            asked = [self.asked(position) for position in positions]
            for position, (prompt, number, request), outcome in zip(positions, asked, self._make(asked), strict=True):
                row = row_of(prompt, number, request)
                if isinstance(outcome, Image):
                    with self.timers("write"):
                        name = f"{position:07d}.png"
                        files[name] = png_bytes(outcome.pixels)
                        row.update(made(outcome, f"images/{name}", files[name]))
                    seconds.append(outcome.seconds)
                else:
                    row["error"] = outcome.reason
                    seconds.append(float("nan"))
                rows.append(row)
            tick(len(positions))
        return ShardOutput(table(rows), {"seconds": np.array(seconds)}, files)

    def _make(self, asked: Sequence[Asked]) -> list[Image | Failed]:
        outcomes: dict[str, Image | Failed] = {}
        good: list[Request] = []
        for _, _, request in asked:
            try:
                self.generator.check(request)
                good.append(request)
            except EvalkitError as error:
                outcomes[request.id] = Failed(request.id, str(error))
        if good:
            with self.timers("generate"):
                outcomes.update((each.id, each) for each in self._generate(good))
        return [outcomes[request.id] for _, _, request in asked]

    def _generate(self, requests: Sequence[Request]) -> Sequence[Image | Failed]:
        while True:
            try:
                return self.generator.generate(requests)
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                if self.generator.rows == 1:
                    raise EvalkitError(
                        f"one image of {self.generator.name} does not fit the device's memory; "
                        "give --dtype bfloat16, --device cpu or a smaller model"
                    ) from None
                self.generator.rows //= 2
                self.progress.note(f"the device's memory is full: going on with {self.generator.rows} images at once")
