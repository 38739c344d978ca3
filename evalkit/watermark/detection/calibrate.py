"""`calibrate_watermark`: statistics of images that are known not to be marked, and how often each code occurs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_as_wished
from evalkit.jobs.options import RunOptions
from evalkit.jobs.progress import Progress
from evalkit.jobs.spec import Spec
from evalkit.runs.store import Run
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.detection.calibrate_task import CALIBRATE, SHARD, VERSION
from evalkit.watermark.detection.calibration import Calibration, Strata
from evalkit.watermark.detection.calibration_file import check_name, read_calibration, write_calibration
from evalkit.watermark.detection.layout import code_shape
from evalkit.watermark.detection.nulls import FILE
from evalkit.watermark.detection.scan_spec import Cache, Planned, planned
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods.plain import PlainMark, check_tokenizer, live_mark


@dataclass(frozen=True)
class Calibrated:
    """A calibration with what a person must know of it: `failed` images (id, reason), `copies` that were left out,
    and `warnings`. `run`: the folder with a row per null image.
    """

    calibration: Calibration
    images: int
    copies: int
    failed: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    run: Path | None = None

    @property
    def strata(self) -> dict[str, int]:
        """How many null images lie in each stratum, by its range of design effects."""
        if not len(self.calibration.statistic):
            return {}
        counts = np.bincount(
            self.calibration.strata(self.calibration.effect), minlength=len(self.calibration.edges) + 1
        )
        edges = ["1", *(f"{edge:g}" for edge in self.calibration.edges), "more"]
        return {f"design effect {a} to {b}": int(n) for a, b, n in zip(edges, edges[1:], counts, strict=False)}


def calibrate_watermark(
    data: str | Path | ImageSet,
    tokenizer: Tokenizer,
    mark: Mark | None,
    out: str | Path,
    *,
    search: str = "none",
    strata: Strata = "flatness",
    cache: Cache = None,
    batch_size: int | Literal["auto"] = "auto",
    threads: int = 2,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Calibrated:
    """Write the calibration of `mark` on the null images `data` to `out` (.npz or .json), and give it back.

    Without `mark` only the frequencies of codes are counted, which paired lists are made from. Of near-duplicates the
    first alone counts. `search` must be the detector's. The run lies beside `out`, as cal.run for cal.npz; killed and typed
    again, it goes on. Raises `EvalkitError` where no image could be read, or cal.run holds the run of something else.
    """
    if mark is not None:
        check_tokenizer(mark, tokenizer)
    plain = None if mark is None else live_mark(mark)
    options = RunOptions(batch_size=batch_size, threads=threads, limit=limit, progress=progress or Progress())
    return calibrate(data, tokenizer, plain, out, search=search, strata=strata, cache=cache, options=options)


def calibrate(
    data: str | Path | ImageSet,
    tokenizer: str | Tokenizer,
    mark: PlainMark | None,
    out: str | Path,
    *,
    search: str = "none",
    strata: Strata = "flatness",
    cache: Cache = None,
    options: RunOptions | None = None,
) -> Calibrated:
    """`calibrate_watermark` for a mark as plain data and a tokenizer by name; `out` of the options is not looked at."""
    check_name(out)
    options = options or RunOptions()
    scan = planned(data, tokenizer, mark, search, cache, options)
    spec = _spec(scan, strata)
    for remark in scan.looked.about["remarks"]:
        options.progress.note(remark)
    folder = Path(out).with_suffix(".run")
    run = run_as_wished(CALIBRATE, spec, folder, options)
    done = _calibrated(run, scan)
    write_calibration(out, done.calibration)
    return done


def _spec(scan: Planned, strata: Strata) -> Spec:
    shape, vocabulary = code_shape(scan.tokenizer)
    counted = vocabulary if len(shape) == 1 else 0  # of vectors of bits no code is counted
    parameters = {**scan.parameters, "strata": strata, "vocabulary": counted}
    models, inputs = {"tokenizer": scan.ref}, {"data": scan.looked.ref}
    return Spec(CALIBRATE.name, VERSION, models, inputs, parameters=parameters, shard=SHARD, here=scan.here)


def _calibrated(run: Run, scan: Planned) -> Calibrated:
    """What the run says; where no image could be read, the run is removed."""
    told = run.record["calibration"]
    bad = run.samples.filter(run.samples["error"].is_valid()).select(["id", "error"]).to_pylist()
    failed = tuple((each["id"], each["error"]) for each in bad)
    counts = told["counts"]
    if not counts["pictures"]:
        shutil.rmtree(run.path)
        n, spec = scan.looked.ref.n, scan.looked.images.spec
        raise EvalkitError(f"none of the {n} images of {spec} could be read; the first: {failed[0][1]}")
    kept = read_calibration(run.path / FILE)
    return Calibrated(kept, counts["pictures"], counts["copies"], failed, tuple(told["warnings"]), run.path)
