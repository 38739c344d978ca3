"""Level 0: are the files of a run what they claim to be, and do they agree with each other?"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.jobs.checks import Failure
from evalkit.jsonio import canonical_json, pretty_json
from evalkit.runs.store import Result

RECORD = {"evalkit": str, "task": str, "created": str, "plan": dict, "files": dict}
OPTIONAL = {"model": dict, "data": dict, "judges": dict, "environment": dict, "protocols": list, "command": list}
INNER = (("environment", "packages"), ("judges", "weights"))
RESULT = tuple(field.name for field in fields(Result))
NUMBERS = ("value", "low", "high")
TEXTS = ("task", "dataset", "metric", "ci_method", "protocol", "status")
STATUSES = ("ok", "unavailable")


def schema_failures(folder: Path, changed: Collection[str] = ()) -> list[Failure]:
    """What is wrong with record, plan, results and samples; files in `changed` are known to be bad and not opened twice."""
    return list(_failures(folder, changed))


def _failures(folder: Path, changed: Collection[str]) -> Iterator[Failure]:
    record = _json(folder / "record.json")
    if isinstance(record, Failure):
        yield record
    elif bad := _record(record):
        yield Failure("record.json", bad)
    else:
        plan = folder / "plan.json"
        if not plan.exists() or plan.read_bytes() != canonical_json(record["plan"]):
            yield Failure("plan.json", "it is not the plan in record.json")
    results = _json(folder / "results.json")
    if isinstance(results, Failure):
        yield results
    elif bad := _results(results):
        yield Failure("results.json", bad)
    if "samples.parquet" not in changed and (bad := _samples(folder / "samples.parquet")):
        yield Failure("samples.parquet", bad)


def _json(path: Path) -> Any:
    """The content, or a failure where it is none as evalkit writes it, to the byte."""
    try:
        data = path.read_bytes()
        found = json.loads(data)
        same = pretty_json(found) == data
    except OSError as error:
        return Failure(path.name, f"it cannot be read: {error.strerror or error}")
    except (ValueError, RecursionError):
        return Failure(path.name, "it is no JSON")
    return found if same else Failure(path.name, "it is not written as evalkit writes JSON, so it has been changed")


def _record(record: Any) -> str | None:
    if not isinstance(record, dict):
        return "it is no JSON object"
    wrong = [name for name, kind in RECORD.items() if not isinstance(record.get(name), kind)]
    wrong += [name for name, kind in OPTIONAL.items() if not isinstance(record.get(name), kind | None)]
    if not wrong:  # so that their parts can be looked at
        wrong += ["protocols"] * any(not isinstance(each, dict) for each in record.get("protocols") or [])
        wrong += [f"{a}.{b}" for a, b in INNER if not isinstance((record.get(a) or {}).get(b), dict | None)]
    if wrong:
        return f"{', '.join(wrong)} should be there and of the right type"
    digests = record["files"].values()
    if not all(isinstance(each, str) and len(each) == 64 and set(each) <= set("0123456789abcdef") for each in digests):
        return "a digest in files is no sha256"
    return None


def _results(results: Any) -> str | None:
    if not isinstance(results, list) or not all(isinstance(row, dict) for row in results):
        return "it is no list of results"
    for number, row in enumerate(results):
        if set(row) != set(RESULT):
            odd = sorted(set(row) ^ set(RESULT))
            return f"row {number} has other fields than a result ({', '.join(odd)})"
        odd = [name for name in NUMBERS if not _number(row[name])]
        odd += [name for name in TEXTS if not isinstance(row[name], str)]
        if odd:
            return f"row {number}: {', '.join(odd)} should be of another type"
        if row["status"] not in STATUSES or (row["status"] != "ok" and row["value"] is not None):
            return f"row {number} ({row['metric']}): status {row['status']!r} does not go with its value"
    return None


def _number(value: Any) -> bool:
    return value is None or value in ("inf", "-inf") or (isinstance(value, int | float) and not isinstance(value, bool))


def _samples(path: Path) -> str | None:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        return f"it is no table: {str(error).splitlines()[0][:120]}"
    return None if "id" in schema.names else "its column id is missing"
