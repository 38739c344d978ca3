"""More attacks for a sealed run: what was done is kept, and what is new or failed is done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.runs.store import Run, RunStore, read_run
from evalkit.watermark.robustness.rows import NOTHING, UNMARKED, image_path
from evalkit.watermark.robustness.tally import Tally
from evalkit.watermark.robustness.task import LEFT_OUT, ROBUSTNESS, images_of

FREE = ("attacks", "levels")  # parameters that may change from call to call


def with_more(store: RunStore, spec: Spec) -> Spec:
    """The spec of a sealed run with what the wanted one adds; where something is left to do, the run becomes shards again.

    Raises `EvalkitError` where the folder holds another run.
    """
    run = read_run(store.path)
    before = ROBUSTNESS.spec(run) if run.record["task"] == ROBUSTNESS.name else None
    if before is None or _fixed(before).plan() != _fixed(spec).plan():
        store.begin(spec.plan())  # says what differs
        return spec
    failed = set(Tally([run.samples.filter(pc.is_valid(run.samples["error"]))]).failed)
    merged = _merged(before, spec, failed)
    names = [NOTHING, *(each["record"]["name"] for each in merged.parameters["attacks"])]
    same = all(run.record[name] == spec.here[name] for name in LEFT_OUT)
    if merged.plan() == run.record["plan"] and same and not failed:
        return merged
    kept = list(_kept(run, merged, names, failed))  # read before anything is taken away
    store.unseal()
    store.forget()
    store.take_over(merged.plan())
    for shard, rows in kept:
        store.put(shard.key, ShardOutput(rows))
    return merged


def _fixed(spec: Spec) -> Spec:
    """The spec without what may change."""
    return replace(spec, parameters={name: value for name, value in spec.parameters.items() if name not in FREE})


def _merged(before: Spec, spec: Spec, failed: set[str]) -> Spec:
    """The attacks that were done, as they were, and after them those that are wanted besides."""
    done = {each["record"]["name"]: each for each in before.parameters["attacks"]}
    wanted = {each["record"]["name"]: each for each in spec.plan()["parameters"]["attacks"]}
    good = {name: each for name, each in done.items() if name not in failed or name in wanted}
    return replace(spec, parameters={**spec.parameters, "attacks": list({**good, **wanted}.values())})


def _kept(run: Run, merged: Spec, names: list[str], failed: set[str]) -> Iterator[tuple[Shard, pa.Table]]:
    """The shards that are done, with their rows; images that are missing are made again."""
    n = images_of(merged)
    before = ROBUSTNESS.spec(run).parameters["attacks"]
    same = {NOTHING, *(each["record"]["name"] for each in before if each in merged.parameters["attacks"])}
    mine = {name: run.samples.filter(pc.equal(run.samples["attack"], name)) for name in same - failed}
    for shard in ROBUSTNESS.shards(merged):
        name, start = names[shard.start // n], shard.start % n
        if name not in mine:
            continue
        places = mine[name]["position"].to_numpy()
        rows = mine[name].filter(pa.array((places >= start) & (places < start + shard.size)))
        if name != NOTHING or _images_there(run, rows):
            yield shard, rows


def _images_there(run: Run, rows: pa.Table) -> bool:
    good = rows.filter(pc.is_null(rows["error"])).select(["set", "contender", "position"]).to_pylist()
    wanted = {(UNMARKED if row["set"] == UNMARKED else row["contender"], row["position"]) for row in good}
    return all((run.path / image_path(name, position)).is_file() for name, position in wanted)
