"""The task `probe-rounds`: every chain of edits measured, then means by round and slopes with intervals over chains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Checks
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task, Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.base import Estimate
from evalkit.metrics.drift import MEASURES, TASK, round_of, slope_of
from evalkit.metrics.metric import Metric
from evalkit.runs.plain import read_plain
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result, Run
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.probe.checks import ProbeChecks
from evalkit.tasks.probe.gallery import small_copy
from evalkit.tasks.probe.rounds.chains import Chain, all_files, digest_of, list_chains
from evalkit.tasks.probe.rounds.drift import chain_scores, slope
from evalkit.tasks.probe.rounds.page import page, strip_file

MEASURED = pa.schema(
    [
        *(("id", pa.string()), ("chain", pa.string()), ("round", pa.int32())),
        *(("sha256", pa.string()), ("error", pa.string())),
        *((name, pa.float64()) for name in MEASURES),
    ]
)


class RoundsWorker(Worker):
    """Reads chains and measures their rounds."""

    def __init__(self, chains: Sequence[Chain]) -> None:
        self.chains, self.timers = chains, Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """A row for each round of each chain; of an exhibit small copies of chosen chains' images."""
        if shard.exhibit is not None:
            return self._copies(shard.exhibit["chains"])
        rows: list[dict[str, Any]] = []
        for chain in self.chains[shard.start : shard.stop]:
            with self.timers("measure"):
                rows += _rows(chain)
            tick(1)
        return ShardOutput(pa.Table.from_pylist(rows, schema=MEASURED), seconds=self.timers.taken())

    def _copies(self, names: Sequence[str]) -> ShardOutput:
        chosen = {chain.name: chain for chain in self.chains}
        with self.timers("gallery"):
            files = {
                strip_file(place, number): small_copy(read_plain(image))
                for place, name in enumerate(names)
                for number, image in enumerate(chosen[name].images)
            }
        return ShardOutput(MEASURED.empty_table(), files=files, seconds=self.timers.taken())


class RoundsTask(Task):
    """Chains of edits in one folder."""

    name = TASK

    def size(self, spec: Spec) -> int:
        """Chains."""
        return spec.inputs["data"].n

    def schema(self, spec: Spec) -> pa.Schema:
        """What is measured of each round; a column for each result follows."""
        return MEASURED

    def open(self, spec: Spec, device: str) -> RoundsWorker:
        """The chains; raises where their files are others now."""
        ref = spec.inputs["data"]
        if ref.source is None:
            raise EvalkitError(f"nothing says where the chains {ref.name} lie. Give the run's own folder")
        chains = list_chains(Path(ref.source), ref.n)
        if digest_of(all_files(chains)) != ref.digest:
            raise EvalkitError(f"the images of {ref.name} have changed since the run was planned. Give a fresh --out")
        return RoundsWorker(chains)

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Slopes and means by round over chains; a chain with an image that cannot be read counts nowhere."""
        table = pa.concat_tables(each.select(MEASURED.names) for each in parts.tables())
        rows, rounds = table.to_pylist(), int(spec.parameters["rounds"])
        if all(row["error"] is not None for row in rows):
            raise EvalkitError(f"no chain can be read. The first: {rows[0]['id']}: {rows[0]['error']}")
        results: list[Result] = []
        for metric, values in _columns(rows, rounds):
            table = table.append_column(metric.name, pa.array(values, pa.float64()))
            results.append(_result(spec, metric, values))
        data, reference = spec.inputs["data"], spec.inputs["reference"]
        facts = {
            "model": {"name": spec.models["model"].name, "title": spec.models["model"].name},
            "data": {"spec": data.source, "name": data.name, "n": data.n, "digest": data.digest},
            "reference": {"name": reference.name, "n": reference.n, "digest": reference.digest},
            "protocols": [{"id": each.id, "sha256": each.sha256} for each in spec.protocols],
        }
        return Aggregated([table], results, {}, facts)

    def exhibits(self, spec: Spec, samples: pa.Table) -> Sequence[Shard]:
        """The chains whose last round is farthest from where they started."""
        last = [row for row in samples.to_pylist() if row["round"] == spec.parameters["rounds"] and not row["error"]]
        worst = sorted(last, key=lambda row: (row["psnr"], row["chain"]))[: int(spec.parameters["shown"])]
        names = [row["chain"] for row in worst]
        return [Shard("shown", 0, len(names), {"chains": names})] if names else ()

    def page(self, run: Run) -> str:
        """Curves over rounds, and the chains that drift most."""
        return page(run)

    def checks(self) -> Checks:
        """Slopes and means from the rounds' measures."""
        return ProbeChecks(self, "what was measured of the rounds")


def _rows(chain: Chain) -> list[dict[str, Any]]:
    """The rounds of a chain, or why it cannot be measured in each of them."""
    digests = [digest_of([("", path)]) for path in chain.images]
    try:
        measured, error = chain_scores(chain), None
    except (EvalkitError, MemoryError) as raised:
        measured, error = [{}] * (len(chain.images) - 1), str(raised) or "too large for this machine's memory"
    return [
        {"id": f"{chain.name}/{k}", "chain": chain.name, "round": k, "sha256": digests[k], "error": error, **found}
        for k, found in enumerate(measured, 1)
    ]


def _columns(rows: Sequence[dict[str, Any]], rounds: int) -> list[tuple[Metric, list[float | None]]]:
    """Each result's column: a chain's slope beside its last round, a round's value beside that round."""
    found: list[tuple[Metric, list[float | None]]] = []
    for measure in MEASURES:
        by_chain: dict[str, list[float | None]] = {}
        for row in rows:
            by_chain.setdefault(row["chain"], []).append(row[measure])
        slopes = {name: slope(np.asarray(each)) for name, each in by_chain.items() if None not in each}
        found.append(
            (slope_of(measure), [slopes.get(row["chain"]) if row["round"] == rounds else None for row in rows])
        )
    for measure in MEASURES:
        for k in range(1, rounds + 1):
            metric = round_of(f"drift_{measure}/{k}", measure, str(k))
            found.append((metric, [row[measure] if row["round"] == k else None for row in rows]))
    return found


def _result(spec: Spec, metric: Metric, values: Sequence[float | None]) -> Result:
    name, protocol = spec.inputs["data"].name, spec.protocols[0].id
    known = [value for value in values if value is not None]
    e: Estimate = mean_interval(known, method="mean", range=(metric.low, metric.high))
    shared = (metric.unit, metric.better, protocol)
    if not known:
        why = "an edit may change the whole image, so nothing is kept to compare"
        return Result(TASK, name, metric.name, None, None, None, e.method, 0, *shared, status="unavailable", reason=why)
    return Result(TASK, name, metric.name, e.value, e.low, e.high, e.method, e.n, *shared)


ROUNDS = RoundsTask()
TASKS.add(ROUNDS.name, ROUNDS)
