"""Level 0: are the files of a run what they claim to be, and do they agree with each other?"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Failure
from evalkit.jsonio import canonical_json, parse_json, pretty_json
from evalkit.runs.plain import is_plain, read_plain
from evalkit.runs.store import Result
from evalkit.runs.tables import columns_of, table_of

RECORD = {"evalkit": str, "task": str, "created": str, "plan": dict, "files": dict}
OPTIONAL = {"model": dict, "data": dict, "judges": dict, "environment": dict, "protocols": list, "command": list}
INNER = (("environment", "packages"), ("judges", "weights"))
RESULT = tuple(field.name for field in fields(Result))
NUMBERS = ("value", "low", "high")
TEXTS = ("task", "dataset", "metric", "ci_method", "protocol", "status")
STATUSES = ("ok", "unavailable")
OWN_FILES = {"generate": "file", "watermark": "file", "watermark-attack": "path"}  # columns that name the run's images
INDEXED = ("original", "reconstruction", "difference")


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
        if not is_plain(plan) or read_plain(plan) != canonical_json(record["plan"]):
            yield Failure("plan.json", "it is not the plan in record.json")
    results = _json(folder / "results.json")
    if isinstance(results, Failure):
        yield results
    elif bad := _results(results):
        yield Failure("results.json", bad)
    if "samples.parquet" in changed:
        return
    if bad := _samples(folder / "samples.parquet"):
        yield Failure("samples.parquet", bad)
    elif isinstance(record, dict):
        named = [*_paths_in_rows(folder, record), *_paths_in_index(folder)]
        yield from (Failure(name, "it leads out of the folder") for name in dict.fromkeys(named) if _leaves(name))


def _paths_in_rows(folder: Path, record: dict[str, Any]) -> list[str]:
    """Where the rows say that the run's own images lie."""
    column = OWN_FILES.get(str(record.get("task")), "")
    path = folder / "samples.parquet"
    try:
        rows = table_of(path, [column])
    except EvalkitError:
        return []  # level 1 or 3 says so
    found = rows[column].to_pylist() if rows.column_names else []
    return [each for each in found if isinstance(each, str)]


def _paths_in_index(folder: Path) -> list[str]:
    path = folder / "images" / "index.json"
    if not is_plain(path):
        return []
    try:
        rows = parse_json(read_plain(path), path.name)
    except (OSError, ValueError):
        return []
    named = (
        [row.get(name) for row in rows if isinstance(row, dict) for name in INDEXED] if isinstance(rows, list) else []
    )
    return [each for each in named if isinstance(each, str)]


def _leaves(name: str) -> bool:
    """Whether a name leads out of the folder that it should lie in."""
    there = (PurePosixPath(name), PureWindowsPath(name))
    return any(each.is_absolute() or each.drive or ".." in each.parts for each in there) or "\0" in name


def _json(path: Path) -> Any:
    """The content, or a failure where it is none as evalkit writes it, to the byte."""
    try:
        data = read_plain(path, links=False)
        found = parse_json(data, path.name)
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
    if not is_plain(path):
        return "it is no plain file"
    try:
        schema = columns_of(path)
    except EvalkitError as error:
        return f"it is no table: {error}"
    return None if "id" in schema.names else "its column id is missing"
