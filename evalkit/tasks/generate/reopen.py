"""A finished run whose failed requests are asked again: what was made is kept."""

from __future__ import annotations

import shutil

from evalkit.jobs.shard import ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Task
from evalkit.jsonio import read_json_lines
from evalkit.runs.store import RunStore, read_run
from evalkit.tasks.generate.layouts import LAYOUTS


def reopen(store: RunStore, task: Task, spec: Spec) -> None:
    """Turn the sealed run back into shards, leaving out those with a failed request; nothing happens where none failed.

    Raises `EvalkitError` where the folder holds another run.
    """
    run = read_run(store.path)
    store.begin(spec.plan())
    if run.samples["error"].null_count == run.samples.num_rows:
        return
    seconds = [row["seconds"] for _, row in read_json_lines(store.path / "manifest.jsonl")]
    store.unseal(spec.plan())
    for shard in task.shards(spec):
        rows = run.samples.slice(shard.start, shard.size)
        if rows["error"].null_count == rows.num_rows and not store.has(shard.key):
            spent = seconds[shard.start : shard.stop]
            facts = {"seconds": spent, "wall": sum(filter(None, spent)), "model": run.record["model"]}
            store.put(shard.key, ShardOutput(rows, facts=facts))  # its images lie in their places already
    for layout in LAYOUTS:  # of the images before
        shutil.rmtree(store.path / layout, ignore_errors=True)
