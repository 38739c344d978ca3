"""Generations that are taken up again in the shards that they were begun with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.jobs.spec import Spec
from evalkit.jsonio import parse_json
from evalkit.runs.store import PLAN
from evalkit.runs.store_objects import open_store


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
