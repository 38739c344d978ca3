"""Accelerated runs: what they gain against the plain loop, measured on a few of the same requests, and what they report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from evalkit.errors import EvalkitError
from evalkit.generators.accelerate.hack import Hack
from evalkit.generators.accelerate.speculate import totals
from evalkit.generators.accelerate.start import Acceleration, accelerate
from evalkit.generators.base import Generator, Image, Request
from evalkit.jobs.spec import Spec
from evalkit.jsonio import parse_json
from evalkit.metrics.generation import ACCEPTANCE_LENGTH, PEAK_MEMORY, SPEED_UP, STEP_COMPRESSION
from evalkit.runs.store import Result
from evalkit.stats.intervals import ratio_interval
from evalkit.tasks.generate.memory import process_memory
from evalkit.tasks.generate.spec import acceleration_of, loaded

PLAIN_TOO = "the process, plain loop included"
FEW = 2  # requests that are drawn both ways to measure the gain
# (metric, what is divided, by what)
RATIOS = ((STEP_COMPRESSION, "codes", "target_evaluations"), (ACCEPTANCE_LENGTH, "kept", "rounds"))


def accelerated(spec: Spec, generator: Generator, device: str) -> Acceleration | None:
    """Accelerate `generator` as the spec says; raises `EvalkitError` for what it cannot do, or other draft weights."""
    settings = acceleration_of(spec)
    if settings is None:
        return None
    draft = spec.models.get("draft")
    return accelerate(generator, settings, None if draft is None else lambda name: loaded(draft, device))


def notes_of(samples: pa.Table) -> list[dict[str, Any]]:
    """What each image of an accelerated run took, in row order."""
    told = [parse_json(each, "the notes of a row") for each in samples["notes"].to_pylist() if each]
    return [each["acceleration"] for each in told if isinstance(each, dict) and "acceleration" in each]


def results(samples: pa.Table, dataset: str) -> list[Result]:
    """Step compression and acceptance length over all images, with intervals over images; none for HACK."""
    notes = notes_of(samples)
    rows = []
    for metric, top, bottom in RATIOS:
        if not notes or not sum(each[bottom] for each in notes):
            continue
        columns = (np.array([each[name] for each in notes], dtype=np.float64) for name in (top, bottom))
        found = ratio_interval(*columns)
        rows.append(
            Result(
                "generate",
                dataset,
                metric.name,
                found.value,
                found.low,
                found.high,
                found.method,
                found.n,
                metric.unit,
                metric.better,
                "",
            )
        )
    return rows


def totals_said(spec: Spec, samples: pa.Table) -> dict[str, Any]:
    """What the record keeps of the rows: settings, whether the output distribution is the plain loop's, and totals."""
    settings, said = acceleration_of(spec), dict(spec.parameters["accelerate"])
    law = getattr(settings, "law", None)
    return said if isinstance(settings, Hack) else {**said, "law": law, **totals(notes_of(samples))}


def exhibit(acceleration: Acceleration, requests: Sequence[Request]) -> dict[str, Any]:
    """What the record keeps of both loops on a few requests, and of the budgets of HACK."""
    measured = measure(acceleration, requests)
    budgets = {} if acceleration.budgets is None else acceleration.budgets.report()  # over all that this worker made
    return {"acceleration": {**budgets, **measured}}


def measure(acceleration: Acceleration, requests: Sequence[Request]) -> dict[str, Any]:
    """Seconds and peak memory of both loops on the same few requests; speculation alone and beside the largest plain batch.

    Where a loop runs out of memory or fails, the gain is not measured and `speed_up` is None, with the reason.
    """
    generator = acceleration.generator
    few = list(requests[:FEW])
    try:
        acceleration.off()
        whole = generator.rows
        alone = acceleration.single
        ours, plain = [], []
        for request in few:
            acceleration.on()
            ours.append(_timed(generator, [request]))
            acceleration.off()
            generator.rows = 1 if alone else whole
            plain.append(_timed(generator, [request]))
            generator.rows = whole
        found: dict[str, Any] = {
            SPEED_UP.name: round(_sum(plain, 0) / _sum(ours, 0), 3),
            "measured_on": f"{len(few)} of the run's requests, {'one at a time' if alone else f'{whole} rows at once'}",
            "seconds_per_image": round(_sum(ours, 0) / len(few), 4),
            "seconds_per_image_plain": round(_sum(plain, 0) / len(few), 4),
        }
        if alone and (size := min(whole, len(requests))) > 1:
            batch = _timed(generator, list(requests[:size]))[0] / size
            found["speed_up_over_batches"] = round(batch / (_sum(ours, 0) / len(few)), 3)
            found["batch"] = size
    except (torch.cuda.OutOfMemoryError, EvalkitError) as error:
        return {SPEED_UP.name: None, "not_measured": str(error).splitlines()[0], **process_memory(PLAIN_TOO)}
    finally:
        acceleration.on()
    memory = {
        PEAK_MEMORY.name: max(each[1] for each in ours),
        "peak_memory_bytes_plain": max(each[1] for each in plain),
    }
    return {
        **found,
        **({**memory, "peak_memory_of": "the device"} if memory[PEAK_MEMORY.name] else process_memory(PLAIN_TOO)),
    }


def sentence(said: dict[str, Any]) -> str:
    """One sentence of what an acceleration changed."""
    parts = []
    if said.get(STEP_COMPRESSION.name) is not None:
        parts.append(f"{said[STEP_COMPRESSION.name]:.2f} codes a pass of the model")
    if said.get(ACCEPTANCE_LENGTH.name) is not None:
        parts.append(f"{said[ACCEPTANCE_LENGTH.name]:.2f} drafted codes kept a round")
    if said.get("kv_bytes_plain"):
        parts.append(f"{100 * said['kv_bytes'] / said['kv_bytes_plain']:.0f} % of the plain cache")
    parts += _pace(said)
    if said.get(PEAK_MEMORY.name):
        parts.append(f"{said[PEAK_MEMORY.name] / 2**30:.2f} GiB at most of {said['peak_memory_of']}")
    return f"{said['kind']}, law of the images {said['law']}: {'; '.join(parts)}"


def _pace(said: dict[str, Any]) -> list[str]:
    """Against the best plain loop first, which is what a user gains; then the latency of a single image."""
    if said.get(SPEED_UP.name) is None:
        return [f"speed not measured ({said.get('not_measured', 'nothing was made')})"]
    over = said.get("speed_up_over_batches")
    best = [] if over is None else [f"{over:.2f} times the pace of the plain loop with {said['batch']} at once"]
    return [*best, f"{said[SPEED_UP.name]:.2f} times as fast as the plain loop on {said['measured_on']}"]


def _timed(generator: Generator, requests: list[Request]) -> tuple[float, int]:
    """(seconds, peak bytes on the device or 0) of making images; raises `EvalkitError` where one fails."""
    on_cuda = torch.device(generator.device).type == "cuda"
    if on_cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    for made in generator.generate(requests):
        if not isinstance(made, Image):
            raise EvalkitError(made.reason)
    if on_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started, torch.cuda.max_memory_allocated() if on_cuda else 0


def _sum(timed: Sequence[tuple[float, int]], at: int) -> float:
    return sum(each[at] for each in timed)
