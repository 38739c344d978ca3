"""The task `generate`: every prompt of a set, `samples` times, each image with a seed of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.generators.base import Generator
from evalkit.generators.network import NetworkTokenGenerator
from evalkit.jobs.checks import Checks
from evalkit.jobs.shard import Shard
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.metrics.generation import IMAGES_FAILED, IMAGES_MADE
from evalkit.metrics.metric import Metric
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result, Run
from evalkit.tasks.generate.acceleration import FEW, accelerated, results, totals_said
from evalkit.tasks.generate.checks import GenerationChecks
from evalkit.tasks.generate.layouts import LAYOUTS
from evalkit.tasks.generate.manifest import manifest
from evalkit.tasks.generate.memory import largest
from evalkit.tasks.generate.page import page
from evalkit.tasks.generate.prepare import prepare
from evalkit.tasks.generate.rows import SCHEMA, sampler_told
from evalkit.tasks.generate.spec import opened, upgraded, wanted
from evalkit.tasks.generate.worker import GenerationWorker, Look


class GenerateTask(Task):
    """Images of prompts and classes."""

    name = "generate"
    derived = tuple(LAYOUTS)

    def size(self, spec: Spec) -> int:
        """Images asked for."""
        return int(spec.parameters["n"])

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image that was asked for."""
        return SCHEMA

    def open(self, spec: Spec, device: str) -> GenerationWorker:
        """The generator, accelerated and compiled as the spec says."""
        generator = opened(spec, device)
        _set_up(generator, spec)
        prepare(generator, spec.parameters.get("processors", []), spec.here.get("prepare", {}))
        faster = accelerated(spec, generator, device)
        return GenerationWorker(generator, wanted(spec), acceleration=faster, look=_look(spec, device))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Counts, what an acceleration changed, and the manifest."""
        samples = pa.concat_tables(parts.tables()) if self.size(spec) else SCHEMA.empty_table()
        facts = list(parts.facts())
        seconds = [each for fact in facts for each in fact.get("seconds", ())]
        made = samples["error"].null_count
        prompts = spec.inputs["prompts"]
        said = {
            "model": facts[0].get("model", {}) if facts else {},
            "data": {
                "name": prompts.name,
                "n": samples.num_rows,
                "digest": prompts.digest,
                "samples": spec.parameters["samples"],
                "source": prompts.source,
            },
            "sampler": {**spec.parameters["sampler"], **sampler_told(samples)},
            "memory": largest(fact.get("memory", {}) for fact in facts),
            "seconds_per_image": float(f"{sum(each.get('wall', 0.0) for each in facts) / made:.4g}") if made else None,
        }
        if "accelerate" in spec.parameters and made:
            said["acceleration"] = totals_said(spec, samples)
        files = {"manifest.jsonl": manifest(spec, samples, seconds)} if seconds else {}
        return Aggregated([samples], _results(spec, samples), files, said)

    def exhibits(self, spec: Spec, samples: pa.Table) -> Sequence[Shard]:
        """A few of the same requests drawn both ways, where the run was accelerated."""
        if "accelerate" not in spec.parameters:
            return ()
        good = pc.indices_nonzero(pc.is_null(samples["error"])).to_pylist()
        few = good[: max(FEW, spec.shard)]
        return [Shard("plain-loop", 0, len(few), {"positions": few})] if few else ()

    def page(self, run: Run) -> str:
        """A contact sheet."""
        return page(run)

    def checks(self) -> Checks:
        """Rows against images and manifest; images made again."""
        return GenerationChecks(self)

    def upgrade(self, run: Run) -> Spec:
        """Plans that were written before format 2."""
        return upgraded(run.record)


def _set_up(generator: Generator, spec: Spec) -> None:
    here: Mapping[str, Any] = spec.here
    alone = generator.rows_on_cpu == 1 and str(generator.device) == "cpu"  # more rows would move levels of colour
    if isinstance(here.get("batch_size"), int) and not alone:
        generator.rows = here["batch_size"]
    if spec.models["model"].settings.get("compile") and isinstance(generator, NetworkTokenGenerator):
        generator.compile()
    if here.get("timeout") is not None and hasattr(generator, "timeout"):
        generator.timeout = here["timeout"]
    if here.get("folder"):
        from pathlib import Path

        generator.attach(Path(here["folder"]))


def _look(spec: Spec, device: str) -> Look | None:
    """Who looks at the images for a scoring to come."""
    if not spec.here.get("score_ahead"):
        return None
    from evalkit.tasks.score.ahead import LookAhead  # loads what most generations do without

    return LookAhead(spec.here["score_ahead"], device)


def _results(spec: Spec, samples: pa.Table) -> list[Result]:
    name = spec.inputs["prompts"].name
    failed = samples.num_rows - samples["error"].null_count

    def count(metric: Metric, value: int) -> Result:
        told = (metric.unit, metric.better, "")
        return Result("generate", name, metric.name, float(value), None, None, "count", samples.num_rows, *told)

    made = [count(IMAGES_MADE, samples.num_rows - failed), count(IMAGES_FAILED, failed)]
    return made if "accelerate" not in spec.parameters else made + results(samples, name)


GENERATE = GenerateTask()
TASKS.add(GENERATE.name, GENERATE)
__all__ = ["GENERATE", "GenerateTask"]
