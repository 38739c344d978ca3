"""From rows and features to results: one number with an interval for each task, data set, metric and protocol."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.metrics.base import Estimate
from evalkit.metrics.codes import code_use
from evalkit.metrics.psnr import psnr, target_range
from evalkit.metrics.ssim import SMALLEST_MS_SSIM
from evalkit.protocols import Protocol
from evalkit.runs.store import Result, RunStore
from evalkit.stats.intervals import log_mean_interval, mean_interval, transform
from evalkit.tasks.tokenizer.details import detail_results, speaks_of_detail
from evalkit.tasks.tokenizer.distances import distribution_results, infinity_results
from evalkit.tasks.tokenizer.faces import face_results, speaks_of_faces
from evalkit.tasks.tokenizer.numbers import measured, unavailable
from evalkit.tasks.tokenizer.shift import COLUMNS as SHIFT
from evalkit.tasks.tokenizer.survival import COLUMNS as SURVIVAL
from evalkit.tasks.tokenizer.texts import text_results

if TYPE_CHECKING:
    from evalkit.tasks.tokenizer.job import TokenizerJob

_CONTINUOUS = "continuous codes have no identity that could survive"
NO_CODES = {
    **dict.fromkeys(SURVIVAL, _CONTINUOUS),
    "shift_psnr": "no image could be moved and encoded again",
    "shift_codes": "only codes that are one for each cell of a grid can move with the image",
}
TOO_SMALL = f"MS-SSIM has five scales and needs sides of at least {SMALLEST_MS_SSIM} px; the scored images are smaller"
IMAGE_TASKS = ("reconstruction", "detail", "text")


def fold_results(store: RunStore, keys: Sequence[str], samples: pa.Table, job: TokenizerJob) -> list[Result]:
    """All results of the run, in the order of protocols, data sets and metrics."""
    results: list[Result] = []
    for feed in job.feeds:
        protocol = feed.protocol
        mine = samples.filter(pc.equal(samples["protocol"], protocol.id))
        good = mine.filter(pc.is_null(mine["error"]))
        for given, dataset, part in _parts(good, job):
            task = given or ("reconstruction" if "reconstruction" in job.judges.tasks else "text")
            if task in job.judges.tasks:
                results += _image_results(task, dataset, part, protocol, job)
            if speaks_of_detail(job.judges.tasks, protocol, given):
                results += detail_results(dataset, part, protocol, job.options.seed)
            if speaks_of_faces(job.judges.tasks, protocol, given):
                results += face_results(dataset, part, protocol, job.options.seed)
        if "distribution" in job.judges.tasks:
            results += distribution_results(store, keys, protocol, job, good.num_rows)
        if "fid-infinity" in job.judges.tasks:
            results += infinity_results(store, keys, protocol, job, good.num_rows)
        results += _model_results(store, keys, protocol, job, good)
        if "codes" in job.judges.tasks:
            results += _code_results(store, keys, protocol, job, good)
    return results


def _parts(good: pa.Table, job: TokenizerJob) -> Iterator[tuple[str | None, str, pa.Table]]:
    """(task that the data states, data set name, rows) for each subset of the set."""
    pairs = good.group_by(["task", "subset"], use_threads=False).aggregate([]).to_pylist()
    pairs.sort(key=lambda pair: IMAGE_TASKS.index(pair["task"]) if pair["task"] in IMAGE_TASKS else 0)
    for pair in pairs:
        keep = pc.and_(_same(good["task"], pair["task"]), _same(good["subset"], pair["subset"]))
        name = job.images.name
        subset = pair["subset"]
        dataset = f"{name}/{subset}" if subset and not name.endswith(f"/{subset}") else name
        yield pair["task"], dataset, good.filter(keep)


def _same(column: pa.ChunkedArray, value: str | None) -> Any:
    return pc.is_null(column) if value is None else pc.fill_null(pc.equal(column, value), False)


def _image_results(task: str, dataset: str, part: pa.Table, protocol: Protocol, job: TokenizerJob) -> Iterator[Result]:
    """Pixel metrics, and text where it was read or should have been."""
    yield from _pixel_results(task, dataset, part, protocol, job)
    read = part["text_reconstruction"].null_count < part.num_rows
    reason = job.judges.unavailable.get("text")
    if not read and reason is None:
        reason = next((said for said in part["text_error"].to_pylist() if said), None)
    if read or (task == "text" and reason is not None):
        yield from text_results(dataset, part, protocol, None if read else reason, job.options.seed)


def _pixel_results(task: str, dataset: str, part: pa.Table, protocol: Protocol, job: TokenizerJob) -> Iterator[Result]:
    seed = job.options.seed

    def mean(metric: str) -> Estimate:
        return mean_interval(_floats(part, metric), method="mean", seed=seed)

    def result(metric: str, estimate: Estimate) -> Result:
        return measured(task, dataset, metric, estimate, protocol)

    if protocol.psnr.aggregate == "mean":
        yield result("psnr", mean("psnr"))
    else:
        yield result("psnr", _pooled(part, protocol, log_mean_interval(_floats(part, "mse"))))
    yield result("ssim", mean("ssim"))
    ms_ssim = mean("ms_ssim")
    small = part.num_rows > 0 and math.isnan(ms_ssim.value)
    yield unavailable(task, dataset, "ms_ssim", protocol, TOO_SMALL) if small else result("ms_ssim", ms_ssim)
    for net in protocol.lpips.nets:
        metric = f"lpips_{net}"
        reason = job.judges.unavailable.get(metric)
        yield unavailable(task, dataset, metric, protocol, reason) if reason else result(metric, mean(metric))
    if part["bpp"].null_count < part.num_rows:
        yield result("bpp", mean("bpp"))


def _pooled(part: pa.Table, protocol: Protocol, error: Estimate) -> Estimate:
    """PSNR of the mean squared error; the interval is that of the error, carried through the logarithm."""
    peak = 1.0
    if protocol.psnr.data_range == "targets" and part.num_rows:
        peak = target_range(_floats(part, "target_low"), _floats(part, "target_high"))
    return transform(error, lambda mean_error: psnr(mean_error, peak), "10 log10(peak² / mean error)")


def _model_results(
    store: RunStore, keys: Sequence[str], protocol: Protocol, job: TokenizerJob, good: pa.Table
) -> Iterator[Result]:
    """Survival and shift consistency: over all codes, and where there are scales or bits, for each of them."""
    wanted = [("survival", SURVIVAL), ("shift", SHIFT)]
    for task, metric in ((task, metric) for task, metrics in wanted if task in job.judges.tasks for metric in metrics):
        if good[metric].null_count < good.num_rows:
            estimate = mean_interval(_floats(good, metric), method="mean", seed=job.options.seed)
            yield measured(task, job.images.name, metric, estimate, protocol)
        else:
            yield unavailable(task, job.images.name, metric, protocol, NO_CODES[metric])
        for part in ("scale", "bit"):
            stem = f"{protocol.id}|{metric}|{part}"
            found = [arrays[stem] for key in keys if stem in (arrays := store.arrays(key))]
            shares = np.concatenate(found) if found else np.zeros((0, 0))
            for number in range(shares.shape[1]):
                name = f"{job.images.name}[{part} {number + 1} of {shares.shape[1]}]"
                estimate = mean_interval(shares[:, number], method="mean", seed=job.options.seed)
                yield measured(task, name, metric, estimate, protocol)


def _code_results(
    store: RunStore, keys: Sequence[str], protocol: Protocol, job: TokenizerJob, good: pa.Table
) -> Iterator[Result]:
    counts: Any = None
    for key in keys:
        tally = store.arrays(key).get(f"{protocol.id}|codes")
        counts = tally if counts is None else counts if tally is None else counts + tally
    if counts is None or not counts.sum():
        return
    folder = store.path / "statistics"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / f"{protocol.id}-codes.npz", counts=counts)
    for metric, estimate in code_use(counts, good.num_rows).items():
        yield measured("codes", job.images.name, metric, estimate, protocol)


def _floats(part: pa.Table, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(part[column].to_numpy(zero_copy_only=False), np.float64)
