"""One shard of a likelihood: images are read, coded, and their codes asked of the generator, one image at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.likelihood import ImageLikelihood
from evalkit.images.loader import TOO_LARGE
from evalkit.images.sample import ImageSet, Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.likelihood import likelihood_columns
from evalkit.tasks.likelihood.rows import table
from evalkit.tasks.score.inputs import Asked

SUM, SQUARES, COUNT = "nats", "squares", "count"  # over images, by place of the code


class LikelihoodWorker(Worker):
    """Holds the generator, its tokenizer and the images; arrays are sums over the shard's good images by place."""

    def __init__(self, images: ImageSet, model: ImageLikelihood, asked: Asked, *, threads: int) -> None:
        self.images, self.model, self.asked, self.threads = images, model, asked, threads
        self.timers = Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in order, and what each place of the code costs."""
        rows: list[dict[str, Any]] = []
        places = np.zeros((2, self.model.generator.tokens_per_image))
        for each in self._read(shard):
            row = self._row(each, places)
            rows.append(row)
            tick(1)
        good = sum("error" not in row for row in rows)
        arrays = {SUM: places[0], SQUARES: places[1], COUNT: np.array(good)}
        return ShardOutput(table(rows), arrays, {}, self.timers.taken(), {"likelihood": {"side": self.model.side}})

    def _read(self, shard: Shard) -> Any:
        reader = self.images.read(shard.start, shard.stop, threads=self.threads)
        while True:
            with self.timers("read"):
                each = next(reader, None)
            if each is None:
                return
            yield each

    def _row(self, each: Sample | Unreadable, places: np.ndarray[Any, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {"id": each.id, "sha256": each.sha256, **self._asked(each.id)}
        if isinstance(each, Unreadable):
            return {**row, "error": each.reason}
        row |= {"height": int(each.image.shape[0]), "width": int(each.image.shape[1])}
        request = Request(each.id, row["prompt"], row["class_id"])
        try:
            self.model.generator.check(request)
            with self.timers("likelihood"):
                nats = self.model.nats(each.image, request).numpy()
        except MemoryError:
            return {**row, "error": TOO_LARGE}
        except EvalkitError as error:
            return {**row, "error": str(error)}
        if not np.isfinite(nats).all():
            return {**row, "error": "its likelihood is not finite"}
        places += np.stack([nats, nats**2])
        return {**row, "codes": len(nats), **likelihood_columns(float(nats.sum()), len(nats), self.model.side)}

    def _asked(self, id: str) -> Mapping[str, Any]:
        label, prompt = self.asked.classes.get(id), self.asked.prompts.get(id)
        return {"prompt_id": prompt, "prompt": prompt, "class_id": None if label is None else int(label)}
