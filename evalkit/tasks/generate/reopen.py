"""The finished shards of a sealed generation, for a second try of what failed."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jsonio import read_json_lines
from evalkit.runs.store import Run


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
