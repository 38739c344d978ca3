"""A detection as a resumable job: plan, worker, and the fold into a sealed run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.images.folder import FolderSet
from evalkit.images.sample import ImageSet, content_digest
from evalkit.jobs.job import Job, RunOptions, Shard, Worker, split
from evalkit.jobs.timers import Timers
from evalkit.runs.record import environment, now
from evalkit.runs.store import Run, RunStore, ShardOutput, read_run
from evalkit.tokenizers.base import Tokenizer
from evalkit.version import __version__
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.fold import fold
from evalkit.watermark.detection.layout import batch_of
from evalkit.watermark.detection.page import write_page
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.request import Request
from evalkit.watermark.detection.rows import shard_rows
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.verdict import INCONCLUSIVE
from evalkit.watermark.identity import preparation_id

TASK = "watermark-detect"
PLAN_VERSION = 1
SHARDS = (256, 2048, 8192)  # images of a shard in small and in large sets, and the size from which sets are large


class DetectJob(Job):
    """One mark looked for in one image set."""

    def __init__(
        self, request: Request, tokenizer: Tokenizer, images: ImageSet, cache: CodeCache, options: RunOptions
    ) -> None:
        self.request, self.tokenizer, self.images, self.options = request, tokenizer, images, options
        self.title = f"{request.mark.method} in {images.name}"
        self.n = len(images) if options.limit is None else min(options.limit, len(images))
        self.timers = Timers()
        self.states = images.fingerprints(self.n)
        self.digest = content_digest(zip(images.ids(), self.states, strict=False))
        self.listing = images.listing(self.n)
        for remark in images.remarks():
            options.progress.note(remark)
        batch = batch_of(tokenizer, options.batch_size)
        self.reader = Reader(images, tokenizer, cache, batch_size=batch, threads=options.threads, timers=self.timers)
        self.scanner = Scanner(self.reader, request.mark, request.views, request.rule.alpha)
        self.views = ("", *(view.name for view in request.views))

    def plan(self) -> Mapping[str, Any]:
        """Model, data, mark and rule: whatever decides the rows."""
        return {
            "version": PLAN_VERSION,
            "evalkit": __version__,
            "task": TASK,
            "tokenizer": self.request.mark.tokenizer,
            "preparation": preparation_id(self.tokenizer),
            "data": {"name": self.images.name, "n": self.n, "digest": self.digest, "listing": self.listing},
            "dtype": self.options.dtype,
            "shard": self.shards()[0].size if self.n else 0,
            **self.request.as_dict(),
        }

    def shards(self) -> Sequence[Shard]:
        """Images in listing order."""
        return split(self.n, SHARDS[0] if self.n < SHARDS[2] else SHARDS[1])

    def worker(self, device: str) -> DetectWorker:
        """A worker around the loaded tokenizer; one process holds one."""
        return DetectWorker(self)

    def reduce(self, store: RunStore) -> Run:
        """Groups, q-values and verdicts over the folder, heat maps, results, and the record, which marks the run as whole."""
        keys = [shard.key for shard in self.shards()]
        with self.timers("fold"):
            counts = fold(store, keys, self)
        record: dict[str, Any] = {
            "evalkit": __version__,
            "task": TASK,
            "command": list(self.options.command),
            "created": now(),
            "model": {
                "name": self.tokenizer.name,
                "identity": self.request.mark.tokenizer,
                "weights_sha256": self.tokenizer.weights_sha256,
                "preparation": preparation_id(self.tokenizer),
                "device": str(getattr(self.tokenizer, "device", "cpu")),
                "dtype": self.options.dtype,
            },
            "data": {
                "spec": self.images.spec,
                "name": self.images.name,
                "n": self.n,
                "digest": _content(store, keys),
                **self.images.as_record(),
                "unreadable": counts["error"],
                "duplicates": counts["duplicates"],
            },
            "protocols": [],
            "detection": {
                **self.request.as_dict(),
                "counts": counts,
                "views": list(self.views),
                "warnings": [*self.request.warnings(self.n), *self._warnings(counts)],
            },
            "seed": self.options.seed,
            "plan": self.plan(),
            "environment": environment(self.options.device),
            "timings": self.timers.record(self.n),
        }
        store.seal(record)
        return read_run(store.path)

    def _warnings(self, counts: Mapping[str, Any]) -> list[str]:
        said = []
        if self.n and counts[INCONCLUSIVE] >= self.n / 2:
            said.append(
                f"{counts[INCONCLUSIVE]:,} of {self.n:,} images have too few different codes to be detected at this rate; "
                "give a larger --alpha, look for fewer lists and views, or mark with a smaller --gamma"
            )
        return [*said, *self.images.remarks()]

    def present(self, run: Run) -> None:
        """report.html, unless it is there."""
        if not (run.path / "report.html").exists():
            write_page(run)


class DetectWorker(Worker):
    """Rows of shards."""

    def __init__(self, job: DetectJob) -> None:
        self.job = job

    def process(self, shard: Shard, tick: Callable[[int], None]) -> ShardOutput:
        """One shard: codes from the cache or made now, scores, and a second stage for undecided images."""
        job, request = self.job, self.job.request
        found = job.scanner.scan(range(shard.start, shard.stop), tick)
        calibrated = None
        if request.calibration is not None:
            calibrated = request.calibration.p_values(found.statistic, found.best.design_effect)
        rows = shard_rows(
            found.read,
            found.best,
            request.mark,
            job.views,
            calibrated,
            [_warning(each.kept.warning if each.kept else None, each.state != job.states[i])
             for i, each in enumerate(found.read, start=shard.start)],
            [_manifest(job, i) if each.kept else None for i, each in enumerate(found.read, start=shard.start)],
        )  # fmt: skip
        return ShardOutput(rows, {})


def _content(store: RunStore, keys: Sequence[str]) -> str:
    """The digest of the images that were really read."""
    parts = [store.rows(key).select(["id", "sha256"]) for key in keys]
    return content_digest((row["id"], row["sha256"]) for part in parts for row in part.to_pylist())


def _warning(said: str | None, changed: bool) -> str | None:
    if not changed:
        return said
    return "; ".join(each for each in (said, "the file changed after the scan began") if each)


def _manifest(job: DetectJob, index: int) -> str | None:
    """The state of an image's C2PA manifest; None where nobody asked, or the image is no file."""
    if not job.request.c2pa or not isinstance(job.images, FolderSet):
        return None
    from evalkit.errors import EvalkitError
    from evalkit.images.c2pa import read_manifest

    path: Path = job.images.file(index)
    try:
        return read_manifest(path, anchors=job.request.anchors).state
    except EvalkitError:  # gone, or not readable: the row says so
        return None
