"""`embed_folder`: a folder of images marked afterwards, resumable, with what it cost each of them."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_job
from evalkit.jobs.job import Job, RunOptions, Shard, split
from evalkit.jobs.options import check_apart
from evalkit.jobs.timers import Timers
from evalkit.jsonio import canonical_json
from evalkit.runs.record import environment, now
from evalkit.runs.store import Result, Run, RunStore, read_run, results_json, write_bytes
from evalkit.stats.intervals import mean_interval
from evalkit.tokenizers.base import NetworkTokenizer, Tokenizer
from evalkit.version import __version__
from evalkit.watermark.attacks.run import file_stems
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.embed.page import write_page
from evalkit.watermark.embed.worker import EmbedWorker
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import write_mark
from evalkit.watermark.methods.files import NAME
from evalkit.watermark.methods.subject import compared

PLAN_VERSION = 1
SHARD = 32
RESULTS = {  # columns whose means are results: (unit, better)
    "exchanged": ("", "lower"),
    "green_embedded": ("", "higher"),
    "green_read_back": ("", "higher"),
    "psnr_input": ("dB", "higher"),
    "ssim_input": ("", "higher"),
    "psnr_reconstruction": ("dB", "higher"),
    "ssim_reconstruction": ("", "higher"),
    "psnr_reconstruction_input": ("dB", "higher"),
    "ssim_reconstruction_input": ("", "higher"),
}


def embed_folder(
    data: str | Path,
    tokenizer: Tokenizer,
    mark: Mark,
    *,
    fraction: float = 1.0,
    most_cost: float = math.inf,
    nudge: Nudge | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Mark every image of `data` and seal the run: images/*.png, mark.json, rows, a page. The same call resumes.

    An image is fitted to the tokenizer's square, encoded with green codes in place of red ones (nearest in the
    quantiser's own metric, inside the residual loop of multi-scale models) and decoded. `fraction`: of an image's red
    codes this share is exchanged, the cheapest first. `most_cost`: a code is exchanged only where its distance to the
    features grows by no more. `nudge`: the image keeps its own pixels, and is changed by few levels until the encoder
    reads these codes, instead of being decoded from them. Raises `EvalkitError` where the method or tokenizer cannot do
    it, or `out` lies in `data`.
    """
    options = options or RunOptions()
    if not 0 < fraction <= 1 or not most_cost > 0:
        raise EvalkitError(
            f"fraction lies above 0 and up to 1, and most cost above 0; {fraction:g}, {most_cost:g} given"
        )
    mark.list_of(0)
    mark.green_places(0, 1)  # methods that cannot do it say so now
    if nudge is not None:
        compared(tokenizer)
    job = EmbedJob(open_images(data), tokenizer, mark, fraction, most_cost, nudge, options)
    store = RunStore(options.out or _folder(job))
    check_apart(data, store.path)
    return run_job(job, store, options)


class EmbedJob(Job):
    """One mark on one image set."""

    def __init__(
        self,
        images: ImageSet,
        tokenizer: Tokenizer,
        mark: Mark,
        fraction: float,
        most_cost: float,
        nudge: Nudge | None,
        options: RunOptions,
    ) -> None:
        self.images, self.tokenizer, self.mark, self.options = images, tokenizer, mark, options
        self.fraction, self.most_cost, self.nudge = fraction, most_cost, nudge
        self.title, self.timers = tokenizer.name, Timers()
        self.n = len(images) if options.limit is None else min(options.limit, len(images))
        digest = hashlib.sha256()
        for index, name in enumerate(images.ids()[: self.n]):
            digest.update(f"{name}\0{images.fingerprint(index)}\n".encode("utf-8", "surrogateescape"))
        self.digest = digest.hexdigest()
        self.names = list(file_stems(images.ids()[: self.n]).values())

    def plan(self) -> Mapping[str, Any]:
        """The mark (its key's id, never the key), the limits, tokenizer, data and batch size: whatever decides pixels."""
        return {
            "version": PLAN_VERSION,
            "evalkit": __version__,
            "task": "watermark",
            "mark": self.mark.as_dict(),
            "tokenizer": self.mark.tokenizer,
            "embedding": self._embedding(),
            "data": {"name": self.images.name, "n": self.n, "digest": self.digest},
            "batch_size": self._batch_size(),
            "dtype": self.options.dtype,
        }

    def shards(self) -> Sequence[Shard]:
        """Runs of 32 images in listing order."""
        return split(self.n, SHARD)

    def worker(self, device: str) -> EmbedWorker:
        """A worker around the loaded tokenizer."""
        return EmbedWorker(
            self.images,
            self.tokenizer,
            self.mark,
            self.names,
            fraction=self.fraction,
            most_cost=self.most_cost,
            nudge=self.nudge,
            batch_size=self._batch_size(),
            threads=self.options.threads,
            timers=self.timers,
        )

    def reduce(self, store: RunStore) -> Run:
        """Rows, images, strips, results, mark.json and record; the record comes last and marks the run as whole."""
        keys = [shard.key for shard in self.shards()]
        samples = store.write_samples(keys)
        for file in store.shard_files(keys):
            kind, _, number = file.stem.rpartition("-")
            place = f"strips/{number}.png" if kind else f"images/{self.names[int(number)]}.png"
            write_bytes(store.path / place, file.read_bytes())
        write_bytes(store.path / "results.json", results_json(self._results(samples)))
        write_mark(store.path / NAME, self.mark, self._embedding())
        store.seal(
            {
                "evalkit": __version__,
                "task": "watermark",
                "command": list(self.options.command),
                "created": now(),
                "model": {
                    "name": self.tokenizer.name,
                    "title": self.tokenizer.name,
                    "weights_sha256": self.tokenizer.weights_sha256,
                    "device": str(getattr(self.tokenizer, "device", "cpu")),
                    "dtype": self.options.dtype,
                    "deterministic": self.tokenizer.deterministic,
                },
                "data": {"name": self.images.name, "n": self.n, "digest": self.digest},
                "protocols": [],
                "plan": self.plan(),
                "environment": environment(self.options.device),
                "timings": self.timers.record(self.n),
            }
        )
        return read_run(store.path)

    def present(self, run: Run) -> None:
        """report.html, unless it is there."""
        if not (run.path / "report.html").exists():
            write_page(run)

    def _results(self, samples: pa.Table) -> list[Result]:
        found = []
        for metric, (unit, better) in RESULTS.items():
            values = samples[metric].to_numpy(zero_copy_only=False).astype(np.float64)
            estimate = mean_interval(values) if np.isfinite(values).any() else None
            if estimate is not None:
                v, low, high, n = estimate.value, estimate.low, estimate.high, estimate.n
                name = self.images.name
                found.append(Result("watermark", name, metric, v, low, high, estimate.method, n, unit, better, ""))
        return found

    def _embedding(self) -> dict[str, Any]:
        cost = None if math.isinf(self.most_cost) else self.most_cost
        said = {"how": "afterwards", "fraction": self.fraction, "most_cost": cost}
        return said if self.nudge is None else {**said, "by": "pixels", **asdict(self.nudge)}

    def _batch_size(self) -> int:
        if self.options.batch_size != "auto":
            return self.options.batch_size
        on_gpu = isinstance(self.tokenizer, NetworkTokenizer) and str(self.tokenizer.device).startswith("cuda")
        return 32 if on_gpu else min(16, max(1, 256**2 // self.tokenizer.native_size**2))


def _folder(job: EmbedJob) -> Path:
    digest = hashlib.sha256(canonical_json(job.plan())).hexdigest()[:10]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", job.tokenizer.name).strip("-")[:40]
    return Path("runs") / f"watermark-{name}-{digest}"
