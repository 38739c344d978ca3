"""Shards: the pieces of a run that a worker does at once, and what each of them leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Shard:
    """Samples `start` to `stop` (exclusive) of the plan's order; `key` names its output.

    `exhibit`: plain data of a second pass over chosen samples (worst images, heat maps, timing baselines); None in the
    first pass.
    """

    key: str
    start: int
    stop: int
    exhibit: Mapping[str, Any] | None = None

    @property
    def size(self) -> int:
        """Number of samples."""
        return self.stop - self.start


@dataclass(frozen=True)
class ShardOutput:
    """What one shard leaves.

    `rows`: in sample order. `arrays`: by name. `files`: by their path in the run folder. `seconds`: by stage of the work.
    `facts`: plain data for the record; times and notes go there, so that rows, arrays and files depend on the spec alone.
    """

    rows: pa.Table
    arrays: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sources:
    """What a run's shards are read from now. `roles`: inputs of the spec that it speaks of.

    `of` gives (id, sha256) of every source of a shard, as its rows name them.
    """

    roles: tuple[str, ...]
    of: Callable[[Shard], Set[tuple[str, str]]]


def split(n: int, size: int) -> list[Shard]:
    """Samples 0 to n in shards of `size`.

    >>> [shard.key for shard in split(5, 2)]
    ['000000', '000001', '000002']
    """
    starts = range(0, n, size)
    return [Shard(f"{i:06d}", start, min(start + size, n)) for i, start in enumerate(starts)]
