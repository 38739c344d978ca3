"""One shard of a generation: requests in, PNG files and rows out; a bad request costs itself only."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from evalkit.errors import EvalkitError
from evalkit.generators.accelerate.start import Acceleration
from evalkit.generators.base import Failed, Generator, Image, Request
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.images.strips import LARGE
from evalkit.jobs.aside import Aside
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.tasks.generate.acceleration import exhibit
from evalkit.tasks.generate.memory import peak_memory
from evalkit.tasks.generate.rows import made, row_of, table
from evalkit.tasks.generate.spec import Asked, Wanted

THREADS = 2  # that make PNG files
Look = Callable[[Sequence[tuple[str, Pixels]]], None]  # takes the sha256 of each file, and its pixels
Written = tuple[dict[str, Any], Image, str, Future[bytes]]  # a row, its image, the name of its file, and the file


class GenerationWorker(Worker):
    """Holds the generator; `process` gives rows and PNG files of a shard, and what each image took.

    Files are made in threads while the generator works on the next batch.
    """

    def __init__(
        self,
        generator: Generator,
        wanted: Wanted,
        *,
        acceleration: Acceleration | None = None,
        look: Look | None = None,
    ) -> None:
        """`look`: looks at finished images while they are in memory."""
        self.generator, self.wanted, self.acceleration, self.look = generator, wanted, acceleration, look
        self.timers, self._pool = Timers(), ThreadPoolExecutor(THREADS, thread_name_prefix="evalkit-png")

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in request order; files images/<position>.png; facts: seconds of each image, and the model's state."""
        if shard.exhibit is not None:
            return self._exhibit(shard.exhibit["positions"])
        rows: list[dict[str, Any]] = []
        seconds: list[float | None] = []
        files = Aside()
        before: list[Written] = []
        start = shard.start
        while start < shard.stop:
            positions = range(start, min(start + self.generator.batch, shard.stop))
            start = positions.stop
            written = self._begun(positions, rows, seconds)
            self._write(before, files)
            before = written
            del written
            if sum(image.pixels.size for _, image, *_ in before) > 3 * LARGE:  # no image is held beside a large one
                self._write(before, files)
            tick(len(positions))
        self._write(before, files)
        facts = {"seconds": seconds, "wall": self.timers.seconds.get("generate", 0.0), "model": self._state()}
        facts["memory"] = peak_memory(self.generator.device)
        return ShardOutput(table(rows), {}, files, self.timers.taken(), facts)

    def _begun(self, positions: range, rows: list[dict[str, Any]], seconds: list[float | None]) -> list[Written]:
        """Images that are made, with the files that are on their way; `rows` and `seconds` grow by one for each position."""
        asked = [self.wanted.at(position) for position in positions]
        written: list[Written] = []
        for position, (prompt, number, request), outcome in zip(positions, asked, self._make(asked), strict=True):
            row = row_of(prompt, number, request)
            if isinstance(outcome, Image):
                png = self._pool.submit(png_bytes, outcome.pixels)
                written.append((row, outcome, f"images/{position:07d}.png", png))
                seconds.append(outcome.seconds)
            else:
                row["error"] = outcome.reason
                seconds.append(None)
            rows.append(row)
        return written

    def close(self) -> None:
        """End what the generator holds outside this process."""
        self._pool.shutdown()
        self.generator.close()

    def _write(self, written: list[Written], files: MutableMapping[str, bytes]) -> None:
        """Complete rows by their files, as soon as those are there; `written` is emptied."""
        with self.timers("write"):
            for row, image, name, png in written:
                files[name] = data = png.result()
                row.update(made(image, name, data))
        if self.look is not None and written:
            with self.timers("features"):
                self.look([(row["sha256"], image.pixels) for row, image, *_ in written])
        written.clear()

    def _exhibit(self, positions: Sequence[int]) -> ShardOutput:
        if self.acceleration is None:
            raise EvalkitError("only an accelerated run is measured beside the plain loop. Give --accelerate")
        with self.timers("plain loop"):
            facts = exhibit(self.acceleration, [self.wanted.at(position)[2] for position in positions])
        return ShardOutput(table([]), seconds=self.timers.taken(), facts=facts)

    def _state(self) -> dict[str, Any]:
        model = self.generator
        dtype = getattr(model, "dtype", None)
        called = model.passed(self.wanted.sampler)
        return {
            "name": model.name,
            "title": model.name,
            "weights_sha256": model.weights_sha256,
            "tokenizer": model.tokenizer_name,
            "device": str(model.device),
            "dtype": None if dtype is None else str(dtype).removeprefix("torch."),  # of programs outside it is unknown
            "rows": model.rows,
            "deterministic": model.deterministic,
            **({} if called is None else {"passed": called}),
        }

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
                self.generator.rows //= 2  # the record states the rows
