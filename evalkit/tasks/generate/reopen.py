"""A finished run whose failed requests are asked again: what was made is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from evalkit.jsonio import read_json_lines
from evalkit.runs.store import ATTESTATION, RunStore, ShardOutput, read_run
from evalkit.tasks.generate.job import GenerationJob
from evalkit.tasks.generate.layouts import LAYOUTS


def reopen(store: RunStore, job: GenerationJob) -> None:
    """Turn the sealed run back into shards, leaving out those with a failed request; nothing happens where none failed.

    Raises `EvalkitError` where the folder holds another run.
    """
    run = read_run(store.path)
    store.begin(job.plan())
    if run.samples["error"].null_count == run.samples.num_rows:
        return
    seconds = [row["seconds"] for _, row in read_json_lines(store.path / "manifest.jsonl")]
    store.shards.mkdir(exist_ok=True)
    for shard in job.shards():
        rows = run.samples.slice(shard.start, shard.size)
        if rows["error"].null_count == rows.num_rows and not store.has(shard.key):
            files = {Path(name).name: (store.path / name).read_bytes() for name in rows["file"].to_pylist()}
            spent = np.array(seconds[shard.start : shard.stop], dtype=np.float64)
            store.put(shard.key, ShardOutput(rows, {"seconds": spent}, files))
    (store.path / ATTESTATION).unlink(missing_ok=True)  # it speaks of the run as it was
    (store.path / "record.json").unlink()
    (store.path / "report.html").unlink(missing_ok=True)
    for layout in LAYOUTS:  # of the images before
        shutil.rmtree(store.path / layout, ignore_errors=True)
