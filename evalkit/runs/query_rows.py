"""What SQL sees of a run beside its samples: one row of facts from record.json, and its results with numbers as numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain

RUNS = pa.schema(
    [
        ("run", pa.string()),
        ("path", pa.string()),
        ("task", pa.string()),
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("dataset_n", pa.int64()),
        ("protocols", pa.list_(pa.string())),
        ("created", pa.string()),
        ("evalkit", pa.string()),
        ("seed", pa.int64()),
        ("device", pa.string()),
        ("weights_sha256", pa.string()),
        ("data_digest", pa.string()),
        ("wall_seconds", pa.float64()),
        ("samples", pa.int64()),
        ("record", pa.string()),
    ]
)
RESULTS = pa.schema(
    [
        ("run", pa.string()),
        ("path", pa.string()),
        ("model", pa.string()),
        ("task", pa.string()),
        ("dataset", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("ci_method", pa.string()),
        ("n", pa.int64()),
        ("unit", pa.string()),
        ("better", pa.string()),
        ("protocol", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
NUMBERS = ("value", "low", "high")


def read_json(file: Path, kind: type) -> Any:
    """The JSON in `file`, a `kind` (dict or list); raises `EvalkitError` where it is not there, not JSON or another kind."""
    try:
        found = parse_json(read_plain(file), file.name)
    except (OSError, ValueError):
        raise EvalkitError(f"{file.name} cannot be read") from None
    if not isinstance(found, kind):
        raise EvalkitError(f"{file.name} holds no {'object' if kind is dict else 'list'}")
    return found


def run_row(path: Path, record: Mapping[str, Any], samples: int) -> dict[str, Any]:
    """A run's facts; `record` is everything that record.json says, as JSON text, but for the digests of its files."""
    model, data, timings = (_inner(record, key) for key in ("model", "data", "timings"))
    protocols = record.get("protocols") or []
    rest = {key: value for key, value in record.items() if key != "files"}  # 100 bytes per image
    return {
        "run": _shown(path.resolve().name),
        "path": _shown(path.as_posix()),
        "task": _text(record.get("task")),
        "model": _text(model.get("name")),
        "dataset": _text(data.get("name")),
        "dataset_n": _whole(data.get("n")),
        "protocols": [str(each["id"] if isinstance(each, dict) else each) for each in protocols],
        "created": _text(record.get("created")),
        "evalkit": _text(record.get("evalkit")),
        "seed": _whole(record.get("seed")),
        "device": _text(model.get("device")),
        "weights_sha256": _text(model.get("weights_sha256")),
        "data_digest": _text(data.get("digest")),
        "wall_seconds": _number(timings.get("wall_seconds")),
        "samples": samples,
        "record": _shown(json.dumps(rest, ensure_ascii=False)),
    }


def result_rows(run: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A run's results; keys that `RESULTS` does not know come along as text."""
    rows = []
    for given in results:
        if not isinstance(given, dict):
            raise EvalkitError("results.json holds something that is no result")
        row: dict[str, Any] = {"run": run["run"], "path": run["path"], "model": run["model"]}
        for key, value in given.items():
            if key in NUMBERS:
                row[key] = _number(value)
            elif key == "n":
                row[key] = _whole(value)
            else:
                row[key] = _text(value)
        rows.append(row)
    return rows


def as_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """The rows with the schema's columns, and after them, as text, what else a row holds."""
    more = dict.fromkeys(key for row in rows for key in row if key not in schema.names)
    for key in more:
        schema = schema.append(pa.field(key, pa.string()))
    return pa.Table.from_pylist(list(rows), schema=schema)


def _inner(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = record.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    return (
        value if value is None else _shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    )


def _shown(text: str) -> str:
    r"""Text that is UTF-8: bytes of names that were none are written \udcNN.

    >>> _shown("a\udcff")
    'a\\udcff'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def _whole(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < 1 << 63 else None


def _number(value: Any) -> float | None:
    """Infinity is written as a string, because JSON has none."""
    if isinstance(value, str):
        return float(value) if value in ("inf", "-inf") else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
