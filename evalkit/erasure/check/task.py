"""The task `erasure-check`: two models, or two folders, on one set of prompts; rules, tests, a score and a verdict."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.erasure.check.analysis import Given, analysis_of
from evalkit.erasure.check.checks import ErasureChecks
from evalkit.erasure.check.folders import open_folder, units_of_folders
from evalkit.erasure.check.judge import judged, table_of
from evalkit.erasure.check.opening import PROBE, RELEARNING, open_worker
from evalkit.erasure.check.page import page
from evalkit.erasure.check.results import results_of
from evalkit.erasure.check.rows import BASE, ERASED, LOOKED, SCHEMA, row_of
from evalkit.erasure.check.said import facts_of, with_columns
from evalkit.erasure.check.spec import NAME, gates_of, items_in, rule_of_spec
from evalkit.jobs.checks import Checks
from evalkit.jobs.shard import Shard, Sources, split
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task, Worker, statistics
from evalkit.runs.shards import MemoryParts, Parts
from evalkit.runs.store import Run
from evalkit.stats.corrected import Operating

STATISTICS = "statistics/check.npz"
STACKED = ("features_base", "features_erased", "features_other_seeds", "feature_places")


class ErasureCheckTask(Task):
    """One eraser of one concept."""

    name = NAME

    def size(self, spec: Spec) -> int:
        """Pairs of images."""
        return int(spec.parameters["n"])

    def title(self, spec: Spec) -> str:
        """The eraser and the concept."""
        return f"{spec.parameters['label']}: {spec.parameters['concept']}"

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each pair of images."""
        return SCHEMA

    def shards(self, spec: Spec) -> Sequence[Shard]:
        """Those of the images, and one without images each for runs of a probe and for relearning."""
        n = self.size(spec)
        aside = [name for name, asked in ((PROBE, "probes"), (RELEARNING, "relearn")) if spec.parameters.get(asked)]
        return [*split(n, spec.shard), *(Shard(name, n, n) for name in aside)]

    def open(self, spec: Spec, device: str) -> Worker:
        """Models of all arms with the detector, or both folders with it."""
        return open_worker(spec, device)

    def sources(self, spec: Spec) -> Sources | None:
        """The images of both folders; None where models make them."""
        if BASE in spec.models:
            return None
        folders = {
            BASE: open_folder(str(spec.inputs["before"].source)),
            ERASED: open_folder(str(spec.inputs["after"].source)),
        }
        units = units_of_folders(folders[BASE], folders[ERASED], items_in(spec))
        prints = {arm: folder.images.fingerprints() for arm, folder in folders.items()}

        def of(shard: Shard) -> set[tuple[str, str]]:
            mine = [(unit, row_of(unit.item, unit.sample, 0)["id"]) for unit in units[shard.start : shard.stop]]
            return {(f"{arm}/{id}", prints[arm][unit.place or 0]) for unit, id in mine for arm in prints}

        return Sources(("before", "after"), of)

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Rules on the evidence, tests, the vector and the verdict."""
        rule, gates = rule_of_spec(spec), gates_of(spec)
        facts: Mapping[str, Any] = next((each for each in parts.facts() if each.get("labels")), {})
        arrays, labels = _arrays(parts), list(facts.get("labels", ()))
        looked = pa.concat_tables([LOOKED.empty_table(), *parts.tables()]).to_pylist()
        rows = judged(looked, rule, labels, arrays, gates.drawn, spec.parameters.get("domain_labels", ()))
        done = analysis_of(rows, arrays, rule, gates, _given(spec))
        why = dict(facts.get("why", {}))
        results = results_of(done, spec.parameters["concept"], spec.protocols[0].id, arrays, why)
        stored = io.BytesIO()
        np.savez(stored, **arrays)
        return Aggregated(
            [table_of(with_columns(rows, done), SCHEMA)],
            results,
            {STATISTICS: stored.getvalue()},
            facts_of(spec, done, labels, why, arrays),
        )

    def page(self, run: Run) -> str:
        """The verdict, the vector, before and after, leaks, retention by distance."""
        return page(run)

    def parts(self, run: Run) -> Parts:
        """The evidence of a sealed run."""
        arrays = {name.partition("|")[2]: each for name, each in statistics(run).items()}
        told = run.record["erasure"]
        return MemoryParts(run.samples.select(LOOKED.names), arrays, {"labels": told["labels"], "why": told["why"]})

    def checks(self) -> Checks:
        """Everything from the evidence."""
        return ErasureChecks(self)


def _given(spec: Spec) -> Given:
    said = spec.parameters
    operating = None if said.get("operating") is None else Operating(*said["operating"])
    return Given(spec.seed, int(said.get("tries", 0)), int(said.get("search", 0)), operating)


def _arrays(parts: Parts) -> dict[str, Any]:
    """The arrays of all shards, joined; sums of divergences added."""
    found: dict[str, list[Any]] = {}
    for each in parts.arrays():
        for name, array in each.items():
            found.setdefault(name, []).append(array)
    arrays = {name: np.concatenate(each) if name in STACKED else each[0] for name, each in found.items()}
    arrays |= {name: np.sum(found[name], 0) for name in ("kl_sum", "kl_count") if name in found}
    return arrays


ERASURE_CHECK = ErasureCheckTask()
TASKS.add(ERASURE_CHECK.name, ERASURE_CHECK)
