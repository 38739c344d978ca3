"""Generations that are taken up again: in the shards that they were begun with, and what failed once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jsonio import parse_json, read_json_lines
from evalkit.runs.store import PLAN, Run
from evalkit.runs.store_objects import open_store


def kept(run: Run, shards: Sequence[Shard]) -> dict[str, ShardOutput]:
    """Those of `shards` without a failed request; their images lie in their places already."""
    seconds = [row["seconds"] for _, row in read_json_lines(run.path / "manifest.jsonl")]
    found = {}
    for shard in shards:
        rows = run.samples.slice(shard.start, shard.size)
        if rows["error"].null_count == rows.num_rows:
            spent = seconds[shard.start : shard.stop]
            facts = {"seconds": spent, "wall": sum(filter(None, spent)), "model": run.record["model"]}
            found[shard.key] = ShardOutput(rows, facts=facts)
    return found


def in_shards_of(spec: Spec, out: Path, shard: int) -> Spec:
    """`spec` in shards of `shard` samples, or in those of the run that `out` holds, where it differs by them alone.

    The rows that fit a device, and so the shards of a new run, change from day to day.
    """
    file = open_store(out).path / PLAN
    try:
        before = parse_json(file.read_bytes(), str(file))
        begun = replace(spec, shard=int(before["shard"]))
    except (OSError, EvalkitError, ValueError, KeyError, TypeError):
        return replace(spec, shard=shard)
    return begun if begun.shard > 0 and begun.plan() == before else replace(spec, shard=shard)
