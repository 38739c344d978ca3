"""What a foreign result file says, in the words of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain
from evalkit.runs.store import Result
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore

NONE = pa.schema([("id", pa.string()), ("error", pa.string())])
ROWS = pa.schema(
    [
        *(("id", pa.string()), ("prompt_id", pa.string()), ("sample", pa.int32()), ("task", pa.string())),
        *(("score", pa.float64()), ("state", pa.string()), ("reason", pa.string()), ("error", pa.string())),
    ]
)


@dataclass(frozen=True)
class Taken:
    """Results and rows of one system; `data` is the benchmark's name, `n` how many images, `source` who measured."""

    model: str
    data: str
    n: int
    results: tuple[Result, ...]
    samples: pa.Table = field(repr=False)
    source: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def of_probe(suite: str, rows: Sequence[ProbeRow], scores: Sequence[ProbeScore], model: str, source: str) -> Taken:
    """What the rows of a probe's official file come to, with the intervals that evalkit takes of them."""
    results = tuple(
        Result(
            *("probe", suite, each.name, each.estimate.value, each.estimate.low, each.estimate.high),
            *(each.estimate.method, each.estimate.n, "", "higher", suite),
        )
        for each in scores
        if each.estimate.value == each.estimate.value
    )
    listed = [
        {
            "id": row.image or f"{row.prompt}/{row.sample}",
            "prompt_id": row.prompt,
            "sample": row.sample,
            "task": row.task,
            "score": row.score,
            "state": row.state,
            "reason": row.reason,
        }
        for row in rows
    ]
    return Taken(model, suite, len(listed), results, pa.Table.from_pylist(listed, schema=ROWS), source)


def parsed(data: bytes, path: Path) -> Any:
    """The JSON value of a file's text; anything else is an `EvalkitError`."""
    try:
        return parse_json(data, path.name)
    except (ValueError, RecursionError) as error:
        raise EvalkitError(f"{path} is no JSON ({str(error).splitlines()[0][:120]}); give a result file") from None


def read(path: Path) -> bytes:
    """The bytes of a file; raises `EvalkitError` where it cannot be read."""
    try:
        return read_plain(path)
    except OSError as error:
        raise EvalkitError(f"{path} cannot be read: {error.strerror}; give a result file") from None
