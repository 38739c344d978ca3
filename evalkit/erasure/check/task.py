"""The task `erasure-check`: two models, or two folders, on one set of prompts; rules, tests, a score and a verdict."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.erasure.check.analysis import Analysis, analysis_of
from evalkit.erasure.check.checks import ErasureChecks
from evalkit.erasure.check.folders import open_folder, units_of_folders
from evalkit.erasure.check.judge import FAR, NEAR, judged, table_of
from evalkit.erasure.check.opening import open_worker
from evalkit.erasure.check.page import page
from evalkit.erasure.check.results import bounds_of, results_of
from evalkit.erasure.check.rows import BASE, ERASED, LOOKED, OTHER, SCHEMA, row_of
from evalkit.erasure.check.spec import NAME, gates_of, items_in, rule_of_spec
from evalkit.jobs.checks import Checks
from evalkit.jobs.shard import Shard, Sources, split
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task, Worker, statistics
from evalkit.metrics import erasure as declared
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
        """Those of the images, and one without images for relearning."""
        found = split(self.size(spec), spec.shard)
        return (
            [*found, Shard("relearning", self.size(spec), self.size(spec))] if spec.parameters.get("relearn") else found
        )

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
        rows = judged(looked, rule, labels, arrays, gates.drawn)
        done = analysis_of(rows, arrays, rule, gates, spec.seed, int(spec.parameters.get("tries", 0)))
        why = dict(facts.get("why", {}))
        said = spec.parameters.get("operating")
        operating = None if said is None else Operating(*said)
        results = results_of(done, spec.parameters["concept"], spec.protocols[0].id, arrays, operating, why)
        stored = io.BytesIO()
        np.savez(stored, **arrays)
        return Aggregated(
            [table_of(_with_columns(rows, done), SCHEMA)],
            results,
            {STATISTICS: stored.getvalue()},
            _facts(spec, done, labels, why, arrays),
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


def _arrays(parts: Parts) -> dict[str, Any]:
    """The arrays of all shards, joined; sums of divergences added."""
    found: dict[str, list[Any]] = {}
    for each in parts.arrays():
        for name, array in each.items():
            found.setdefault(name, []).append(array)
    arrays = {name: np.concatenate(each) if name in STACKED else each[0] for name, each in found.items()}
    arrays |= {name: np.sum(found[name], 0) for name in ("kl_sum", "kl_count") if name in found}
    return arrays


def _with_columns(rows: Sequence[Mapping[str, Any]], done: Analysis) -> list[dict[str, Any]]:
    """The rows with a column for each metric that is a mean over them, so that erasers are compared by prompt."""
    found = []
    for row, share in zip(rows, done.scored.shares.tolist(), strict=True):
        more: dict[str, Any] = {declared.SCORE.name: share}
        if not row["dropped"] and row.get(BASE) is not None and row.get(ERASED) is not None:
            if row["subset"] in (NEAR, FAR):
                more |= {declared.KEPT.name: row[ERASED], declared.CHANGE.name: row[ERASED] - row[BASE]}
            else:
                more |= {declared.RATE.name: row[ERASED], declared.BASE_RATE.name: row[BASE]}
                more[declared.FLOOR_RATE.name] = row.get(OTHER)
        found.append({**row, **more})
    return found


def _facts(
    spec: Spec, done: Analysis, labels: Sequence[str], why: Mapping[str, str], arrays: Mapping[str, Any]
) -> dict[str, Any]:
    said, prompts = spec.parameters, spec.inputs["prompts"]
    model = spec.models.get(ERASED)
    vector = {m.name: _number(v) for m, v in zip(declared.VECTOR, done.scored.vector, strict=True)}
    return {
        "model": {
            "name": said["label"],
            "title": said["label"],
            "weights_sha256": None if model is None else model.sha256,
        },
        "data": {"name": said["concept"], "n": said["n"], "digest": prompts.digest},
        "prompts": {"name": said["concept"], "n": prompts.n, "digest": said["asked"]},
        "protocols": [{"id": each.id, "sha256": each.sha256} for each in spec.protocols],
        "encoders": {
            f"{NAME}:{ref.name}": ref.sha256 for role, ref in spec.models.items() if role in ("detector", "features")
        },
        "erasure": {
            "concept": said["concept"],
            "verdict": asdict(done.verdict),
            "score": _number(done.scored.score),
            "vector": vector,
            "bounds": {m.name: list(bounds_of(done, i)) for i, m in enumerate(declared.VECTOR)},
            "sets": {name: each.as_dict() for name, each in done.sets.items()},
            "prefixes": [asdict(each) for each in done.prefixes],
            "attack": [asdict(each) for each in done.attack],
            "kl_by_position": (arrays["kl_sum"] / arrays["kl_count"]).tolist() if "kl_sum" in arrays else None,
            "relearning": {
                name.removeprefix("relearn_"): each.tolist()
                for name, each in arrays.items()
                if name.startswith("relearn_")
            },
            "concepts": [asdict(each) for each in done.concepts],
            "controls": {
                arm: {
                    "score": _number(s.score),
                    **{m.name: _number(v) for m, v in zip(declared.VECTOR, s.vector, strict=True)},
                }
                for arm, s in done.controls.items()
            },
            "went": dict(done.went),
            "savings": done.savings,
            "labels": list(labels),
            "why": dict(why),
        },
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


ERASURE_CHECK = ErasureCheckTask()
TASKS.add(ERASURE_CHECK.name, ERASURE_CHECK)
