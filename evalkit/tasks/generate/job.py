"""A generation as a job: plan, shards, and the sealed run with its manifest."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from evalkit.generators.accelerate.start import Acceleration
from evalkit.generators.base import Generator, Request
from evalkit.generators.sampling import Sampler
from evalkit.jobs.job import Job, RunOptions, Shard, split
from evalkit.jobs.timers import Timers
from evalkit.metrics.generation import IMAGES_FAILED, IMAGES_MADE
from evalkit.metrics.metric import Metric
from evalkit.prompts.load import PromptSet
from evalkit.runs.record import environment, now
from evalkit.runs.store import Result, Run, RunStore, read_run, results_json, write_bytes
from evalkit.tasks.generate.acceleration import FEW, report, results
from evalkit.tasks.generate.page import write_page
from evalkit.tasks.generate.rows import seed_of
from evalkit.tasks.generate.worker import Asked, GenerationWorker
from evalkit.version import __version__

PLAN_VERSION = 1
SHARD = 16


class GenerationJob(Job):
    """Every prompt of a set, `samples` times."""

    def __init__(
        self,
        generator: Generator,
        prompts: PromptSet,
        samples: int,
        sampler: Sampler,
        options: RunOptions,
        acceleration: Acceleration | None = None,
    ) -> None:
        self.acceleration = acceleration
        self.generator, self.prompts, self.samples, self.sampler = generator, prompts, samples, sampler
        self.options, self.title, self.timers = options, generator.name, Timers()
        self.folder: Path | None = None  # of the run, once it is known
        self.n = len(prompts.prompts) * samples
        if options.limit is not None:
            self.n = min(self.n, options.limit)

    def plan(self) -> Mapping[str, Any]:
        """Whatever decides the images; the batch size does not."""
        return {
            "version": PLAN_VERSION,
            "evalkit": __version__,
            "task": "generate",
            "model": self.generator.name,
            "weights": self.generator.weights_sha256,
            "prompts": {"name": self.prompts.name, "n": len(self.prompts.prompts), "digest": self.prompts.digest},
            "samples": self.samples,
            "n": self.n,
            "seed": self.options.seed,
            "sampler": self.sampler.as_dict(),
            "compile": self.options.compile,
            "dtype": str(getattr(self.generator, "dtype", self.options.dtype)).removeprefix("torch."),
            **_processors(self.generator),
            **self._accelerated(),
        }

    def shards(self) -> Sequence[Shard]:
        """Runs of 16 images in the order of prompts, then samples."""
        return split(self.n, SHARD)

    def asked(self, position: int) -> Asked:
        """Prompt, sample number and request at `position`."""
        prompt, number = self.prompts.prompts[position // self.samples], position % self.samples
        seed = seed_of(self.options.seed, prompt, number)
        request = Request(f"{prompt.id}-{number:02d}", prompt.prompt, prompt.class_id, seed, self.sampler)
        return prompt, number, request

    def worker(self, device: str) -> GenerationWorker:
        """A worker around the loaded generator."""
        size = self.options.batch_size
        if self.folder is not None:
            self.generator.attach(self.folder)
        return GenerationWorker(
            self.generator,
            self.asked,
            batch_size=SHARD if size == "auto" else size,
            timers=self.timers,
            progress=self.options.progress,
        )

    def reduce(self, store: RunStore) -> Run:
        """Images, samples, results, manifest and record; the record comes last and marks the run as whole."""
        keys = [shard.key for shard in self.shards()]
        samples = store.write_samples(keys)
        folder = store.path / "images"
        folder.mkdir(exist_ok=True)
        for file in store.shard_files(keys):
            write_bytes(folder / file.name, file.read_bytes())
        if self.acceleration is not None:
            self.options.progress.note("measuring the plain loop on a few of the same requests")
            good = [i for i, error in enumerate(samples["error"].to_pylist()) if error is None]
            requests = [self.asked(position)[2] for position in good[: max(FEW, SHARD)]]
            gained = {"acceleration": report(self.acceleration, samples, requests)} if good else {}
        else:
            gained = {}
        seconds = [float(s) for key in keys for s in store.arrays(key)["seconds"]]
        write_bytes(store.path / "manifest.jsonl", self._manifest(samples, seconds))
        write_bytes(store.path / "results.json", results_json(self._results(samples)))
        spent = [s for s in seconds if not math.isnan(s)]
        record: dict[str, Any] = {
            "evalkit": __version__,
            "task": "generate",
            "command": list(self.options.command),
            "created": now(),
            "model": self._model_record(),
            "data": {"name": self.prompts.name, "n": self.n, "digest": self.prompts.digest, "samples": self.samples},
            "protocols": [],
            "sampler": self.sampler.as_dict(),
            "seed": self.options.seed,
            "plan": self.plan(),
            **gained,
            "environment": environment(self.options.device),
            "timings": {
                **self.timers.record(len(spent)),
                "seconds_per_image": round(sum(spent) / len(spent), 4) if spent else None,
            },
        }
        store.seal(record)
        return read_run(store.path)

    def present(self, run: Run) -> None:
        """report.html, unless it is there."""
        if not (run.path / "report.html").exists():
            write_page(run)

    def _results(self, samples: pa.Table) -> list[Result]:
        failed = samples.num_rows - samples["error"].null_count

        def count(metric: Metric, value: int) -> Result:
            n, name = samples.num_rows, self.prompts.name
            return Result(
                "generate", name, metric.name, float(value), None, None, "count", n, metric.unit, metric.better, ""
            )

        made = [count(IMAGES_MADE, samples.num_rows - failed), count(IMAGES_FAILED, failed)]
        return made if self.acceleration is None else made + results(samples, self.prompts.name)

    def _accelerated(self) -> dict[str, Any]:
        return {} if self.acceleration is None else {"accelerate": self.acceleration.plan()}

    def _manifest(self, samples: pa.Table, seconds: list[float]) -> bytes:
        shared = {
            "model": self.generator.name,
            "weights_sha256": self.generator.weights_sha256,
            "tokenizer": self.generator.tokenizer_name,
            "sampler": self.sampler.as_dict(),
            **_processors(self.generator),
            **self._accelerated(),
        }
        lines = []
        for row, spent in zip(samples.to_pylist(), seconds, strict=True):
            row["meta"] = json.loads(row["meta"]) if row["meta"] else {}
            row["notes"] = json.loads(row["notes"]) if row["notes"] else {}
            timed = {"seconds": None if math.isnan(spent) else round(spent, 4)}
            lines.append(json.dumps({**row, **timed, **shared}, ensure_ascii=False, sort_keys=True, allow_nan=False))
        return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")

    def _model_record(self) -> dict[str, Any]:
        model = self.generator
        return {
            "name": model.name,
            "title": model.name,
            "weights_sha256": model.weights_sha256,
            "tokenizer": model.tokenizer_name,
            "device": str(model.device),
            "dtype": self.plan()["dtype"],
            "rows": model.rows,
            "deterministic": model.deterministic,
        }


def _processors(generator: Generator) -> dict[str, Any]:
    """What logits processors that describe themselves (a watermark) do to the images; nothing where there is none."""
    listed = getattr(generator, "logits_processors", ())
    said = [each.as_dict() for each in listed if hasattr(each, "as_dict")]
    return {"processors": said} if said else {}
