"""A tokenizer's evaluation as a job: plan, worker, and the fold into a sealed run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.images.sample import ImageSet, content_digest
from evalkit.jobs.job import Job, RunOptions, Shard, split
from evalkit.jobs.timers import Timers
from evalkit.pages import write_report
from evalkit.runs.record import environment, now
from evalkit.runs.store import Run, RunStore, read_run, results_json, write_bytes
from evalkit.tasks.tokenizer.evaluators import Judges
from evalkit.tasks.tokenizer.keep import keep_pictures
from evalkit.tasks.tokenizer.pixels import Feed
from evalkit.tasks.tokenizer.results import fold_results
from evalkit.tasks.tokenizer.worker import ReconstructionWorker
from evalkit.tokenizers.base import NetworkTokenizer, Tokenizer
from evalkit.tokenizers.cards import tokenizer_cards
from evalkit.version import __version__

SHARD = 64
PLAN_VERSION = 1


class TokenizerJob(Job):
    """One tokenizer on one image set under one or more protocols."""

    def __init__(
        self,
        model: Tokenizer,
        images: ImageSet,
        feeds: Sequence[Feed],
        judges: Judges,
        options: RunOptions,
    ) -> None:
        self.model, self.images, self.feeds, self.judges, self.options = model, images, tuple(feeds), judges, options
        self.title = model.name
        self.n = len(images) if options.limit is None else min(options.limit, len(images))
        self.timers = Timers()
        self._digest, self._listing = images.digest(self.n), images.listing(self.n)

    def plan(self) -> Mapping[str, Any]:
        """Model, data, protocols and options: whatever decides the numbers."""
        return {
            "version": PLAN_VERSION,
            "evalkit": __version__,
            "task": "tokenizer",
            "model": self.model.name,
            "weights": self.model.weights_sha256,
            "data": {"name": self.images.name, "n": self.n, "digest": self._digest, "listing": self._listing},
            "protocols": [feed.as_dict() for feed in self.feeds],
            "tasks": sorted(self.judges.tasks),
            "judges": {**self.judges.weights, **dict.fromkeys(self.judges.unavailable, "unavailable")},
            "seed": self.options.seed,
            "dtype": self.options.dtype,
            "compile": self.options.compile,
            "batch_size": self.batch_size,
            "keep": self.options.keep,
            "shard": SHARD,
        }

    @property
    def batch_size(self) -> int:
        """The asked batch size.

        "auto" is 64 on a GPU (halved when memory runs out). On a CPU a network runs fastest on about one 256 px image
        at a time (more leaves the cache: benchmarks/tokenizers.py), and codecs take 8.
        """
        if self.options.batch_size != "auto":
            return self.options.batch_size
        if not isinstance(self.model, NetworkTokenizer):
            return 8
        on_gpu = str(self.model.device).startswith("cuda")
        return 64 if on_gpu else min(16, max(1, 256**2 // self.model.native_size**2))

    def shards(self) -> Sequence[Shard]:
        """Runs of 64 samples in listing order."""
        return split(self.n, SHARD)

    def worker(self, device: str) -> ReconstructionWorker:
        """A worker around the loaded model; one process holds one model."""
        return ReconstructionWorker(
            self.images,
            self.model,
            self.feeds,
            self.judges,
            batch_size=self.batch_size,
            threads=self.options.threads,
            seed=self.options.seed,
            keep_all=self.options.keep == "all",
            timers=self.timers,
        )

    def reduce(self, store: RunStore) -> Run:
        """Samples, statistics, results, images, report and record; the record comes last and marks the run as whole."""
        keys = [shard.key for shard in self.shards()]
        samples = store.write_samples(keys)
        results = fold_results(store, keys, samples, self)
        write_bytes(store.path / "results.json", results_json(results))
        keep_pictures(store, keys, samples, self)
        errors = samples.filter(samples["protocol"].to_numpy(zero_copy_only=False) == self.feeds[0].protocol.id)
        hashes = [value for value in errors["sha256"].to_pylist() if value]
        record: dict[str, Any] = {
            "evalkit": __version__,
            "task": "tokenizer",
            "command": list(self.options.command),
            "created": now(),
            "model": self._model_record(),
            "data": {
                "spec": self.images.spec,
                "name": self.images.name,
                "n": self.n,
                "digest": content_digest(zip(errors["id"].to_pylist(), errors["sha256"].to_pylist(), strict=True)),
                **self.images.as_record(),
                "unreadable": errors["error"].length() - errors["error"].null_count,
                "duplicates": len(hashes) - len(set(hashes)),
            },
            "protocols": [{**f.as_dict(), "misfed": f.misfed, "sha256": f.protocol.sha256} for f in self.feeds],
            "judges": {"weights": self.judges.weights, "unavailable": self.judges.unavailable},
            "seed": self.options.seed,
            "plan": self.plan(),
            "environment": environment(self.options.device),
            "timings": self.timers.record(self.n),
        }
        store.seal(record)
        return read_run(store.path)

    def present(self, run: Run) -> None:
        """report.html, unless it is there."""
        page = run.path / "report.html"
        if not page.exists():
            write_report([run], page)

    def _model_record(self) -> dict[str, Any]:
        card = tokenizer_cards().get(self.model.name)
        return {
            "name": self.model.name,
            "title": card.title if card else self.model.name,
            "weights_sha256": self.model.weights_sha256,
            "device": str(getattr(self.model, "device", "cpu")),
            "dtype": self.options.dtype,
            "deterministic": self.model.deterministic,
            "vocab_size": self.model.vocab_size,
            "card": {} if card is None else {k: v for k, v in vars(card).items() if isinstance(v, str | int | float)},
        }
