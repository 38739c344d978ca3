"""The task `watermark-calibrate`: how green images are that carry no mark, and how often each code occurs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.jobs.checks import Checks, Failure, How, Outcome
from evalkit.jobs.data import data_failures, sources_of
from evalkit.jobs.recomputed import SAME, TaskChecks, unlike
from evalkit.jobs.shard import Shard, ShardOutput, Sources
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task, Tick, Worker
from evalkit.runs.shards import MemoryParts, Parts
from evalkit.runs.store import Run
from evalkit.watermark.detection.calibration_file import read_calibration
from evalkit.watermark.detection.checks import SECRET
from evalkit.watermark.detection.data import opened_images
from evalkit.watermark.detection.null_rows import NULLS, grouped, null_rows
from evalkit.watermark.detection.nulls import FILE, TASK, aggregate
from evalkit.watermark.detection.rows import with_numbers
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.scan_spec import Opened, opened
from evalkit.watermark.detection.worker import warnings_of

VERSION = 1
SHARD = 512
ALWAYS = 1e-300  # every null image is searched, which can only make calibrated p-values larger


class CalibrateTask(Task):
    """Null images measured."""

    name = TASK

    def size(self, spec: Spec) -> int:
        """Images."""
        return spec.inputs["data"].n

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each null image."""
        return grouped(NULLS.empty_table(), [], []).schema

    def title(self, spec: Spec) -> str:
        """The set."""
        return f"calibrating on {spec.inputs['data'].name}"

    def open(self, spec: Spec, device: str) -> CalibrateWorker:
        """Tokenizer, cache, and the mark where one was given."""
        return CalibrateWorker(opened(spec, device))

    def sources(self, spec: Spec) -> Sources | None:
        """The images."""
        return sources_of(("data", opened_images(spec.inputs["data"])[0], self.size(spec)))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """The calibration, and counts."""
        return aggregate(spec, parts)

    def checks(self) -> Checks:
        """The calibration and the counts from the rows."""
        return CalibrationChecks(self)

    def parts(self, run: Run) -> Parts:
        """Rows as shards hold them, and the codes as they were counted."""
        kept: dict[str, Any] = {}
        if (run.path / FILE).exists():
            kept["frequencies"] = read_calibration(run.path / FILE).frequencies
        facts = {"model": run.record["model"], "conditions": run.record["calibration"]["conditions"]}
        return MemoryParts(with_numbers(run.samples), kept, facts)


class CalibrateWorker(Worker):
    """Rows of shards, and the codes of their images."""

    def __init__(self, held_here: Opened) -> None:
        self.opened = held_here
        mark = held_here.mark
        self.scanner = None if mark is None else Scanner(held_here.reader, mark, held_here.views, ALWAYS)
        self.views = ("", *(view.name for view in held_here.views))
        self.facts: Mapping[str, Any] = {"model": held_here.model(), "conditions": held_here.conditions}

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in listing order; `codes` [B, N] of images that could be read, where codes are indices."""
        reader, positions = self.opened.reader, range(shard.start, shard.stop)
        found = None if self.scanner is None else self.scanner.scan(positions, tick)
        read = reader.read(positions, tick) if found is None else found.read
        warnings = warnings_of(read, self.opened.states[shard.start : shard.stop])
        arrays: dict[str, Any] = {}
        if len(reader.shape) == 1:
            codes = reader.codes([each.kept for each in read if each.kept is not None])
            arrays["codes"] = codes.astype(np.min_scalar_type(reader.vocabulary))
        return ShardOutput(null_rows(read, found, self.views, warnings), arrays, {}, reader.timers.taken(), self.facts)

    def close(self) -> None:
        """Close the cache."""
        self.opened.cache.close()


class CalibrationChecks(TaskChecks):
    """What the rows of `evalkit watermark calibrate` promise to somebody without the key."""

    scores = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """Counts, and the calibration that detectors read, from the rows."""
        done = self.again(run)
        bad, earlier = unlike(run, done.results)
        bad += _of_file(run, done)
        bad += data_failures(run, done.facts["data"]["digest"])
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Nobody without the key can score an image again."""
        return Outcome(0, open=SECRET)


def _of_file(run: Run, done: Aggregated) -> list[Failure]:
    said, used = read_calibration(run.path / FILE), pa.concat_tables(done.rows)
    scored = used.filter(used["used"]) if run.record["calibration"]["conditions"]["mark"] is not None else used[:0]
    bad = [
        Failure(FILE, f"its {name} are not those of the rows")
        for name, values, column in (
            ("statistics", said.statistic, "statistic"),
            ("design effects", said.effect, "design_effect"),
        )
        if len(values) != scored.num_rows or not np.allclose(values, scored[column].to_numpy(), rtol=SAME, atol=SAME)
    ]
    told = done.facts["calibration"]
    if (list(said.edges), said.suspicious) != (told["edges"], told["counts"]["suspicious"]):
        bad.append(Failure(FILE, "its strata or suspicious images are not those of the rows"))
    return bad


CALIBRATE = CalibrateTask()
TASKS.add(CALIBRATE.name, CALIBRATE)
__all__ = ["CALIBRATE", "CalibrateTask"]
