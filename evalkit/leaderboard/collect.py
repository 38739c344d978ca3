"""From sealed runs to figures: every number with its terms, its interval and, where they are there, its samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jsonio import parse_json
from evalkit.leaderboard.entrants import ATTESTATION, Collected, Entrant, Figure, Imported, folder_name, part, whole
from evalkit.leaderboard.same_samples import same_samples
from evalkit.leaderboard.samples import NEEDED, SampleTable
from evalkit.leaderboard.terms import terms_of
from evalkit.metrics.metric import Direction
from evalkit.metrics.registry import METRICS
from evalkit.provenance.files import digest
from evalkit.runs.plain import read_plain
from evalkit.runs.sealed import changed, check_sealed
from evalkit.runs.store import read_run
from evalkit.runs.tables import table_of
from evalkit.text import as_float

READ = ("record.json", "results.json", "samples.parquet")


def collect(
    paths: Sequence[Path],
    *,
    parts: bool = False,
    names: Mapping[Path, str] | None = None,
    tell: Callable[[int], None] = lambda done: None,
) -> Collected:
    """Read the sealed runs; `parts` keeps results of one script, scale or bit of the codes too.

    `names`: what the system of a run is called; its runs on other boards may be called the same.

    Raises `EvalkitError` for a run that is not sealed or not readable, and for one whose files are not those that its
    record names.
    """
    seen: dict[str, Path] = {}
    copies: list[Path] = []
    imported: list[Imported] = []
    records: list[tuple[Path, dict[str, Any], dict[str, str], list[dict[str, Any]]]] = []
    for path in paths:
        digests = _digests(path)
        if digests["record.json"] in seen:
            copies.append(path)
            continue
        seen[digests["record.json"]] = path
        record, results = _json(path, "record.json", dict), read_results(path)
        _check(path, record, digests)
        if record.get("imported"):
            imported += _imported(path, record, digests, results)
            continue
        records.append((path, record, digests, results))
    called = _names([(path, record) for path, record, *_ in records])
    entrants = [
        Entrant(number, (names or {}).get(path, name), path, record, digests, (path / ATTESTATION).is_file())
        for number, (name, (path, record, digests, _)) in enumerate(zip(called, records, strict=True))
    ]
    figures: list[Figure] = []
    failed: dict[int, frozenset[str]] = {}
    for entrant, (*_, results) in zip(entrants, records, strict=True):
        wanted = chosen(results, parts=parts)
        table = sample_table(entrant, wanted)
        figures += _figures(entrant, wanted, table)
        failed |= {entrant.number: lost} if (lost := table.failed()) else {}
        tell(1)
    named, others = same_samples(entrants, figures)
    return Collected(tuple(entrants), named, tuple(copies), others, failed, tuple(imported))


def _imported(
    path: Path, record: dict[str, Any], digests: dict[str, str], results: Sequence[dict[str, Any]]
) -> list[Imported]:
    """The finite numbers of a run that was not measured here."""
    said = part(record, "imported")
    model = str(part(record, "model").get("name") or folder_name(path))
    source = " ".join(filter(None, (str(said.get("source") or ""), str(said.get("file") or ""))))
    return [
        Imported(
            *(path, digests["record.json"], model, str(row["metric"]), str(row["dataset"]), str(row["protocol"])),
            *(int(row["n"] or 0), value, str(row.get("unit") or ""), source),
        )
        for row in results
        if (value := _finite(row.get("value"))) is not None
    ]


def _digests(path: Path) -> dict[str, str]:
    if not (path / "record.json").is_file():
        read_run(path)  # says what is there instead
    found = {name: digest(path / name) for name in READ}
    lost = [name for name, value in found.items() if value is None]
    if lost:
        raise EvalkitError(f"{path} lacks {lost[0]}, so it is no whole run; make it again, or leave it out")
    return {name: str(value) for name, value in found.items()}


def read_results(path: Path) -> list[dict[str, Any]]:
    """The rows of results.json; raises `EvalkitError` where they are none."""
    found: list[dict[str, Any]] = _json(path, "results.json", list)
    return found


def _json(path: Path, name: str, kind: type) -> Any:
    try:
        data = read_plain(path / name)
        found = parse_json(data, str(path / name), surrogates=True)
        found = whole(found) if b"\\u" in data else found
    except (OSError, ValueError):
        found = None
    rows = found if isinstance(found, list) else []
    if not isinstance(found, kind) or not all(isinstance(row, dict) and "metric" in row for row in rows):
        raise EvalkitError(f"{path / name} is not what evalkit wrote; check the run with: evalkit verify {path}")
    return found


def _check(path: Path, record: dict[str, Any], digests: dict[str, str]) -> None:
    """A number is only shown where its file is the one that was sealed."""
    check_sealed(path, record, ())
    sealed = record.get("files")
    for name in ("results.json", "samples.parquet"):
        if isinstance(sealed, dict) and sealed.get(name, digests[name]) != digests[name]:
            raise changed(path, name)


def _names(runs: Sequence[tuple[Path, dict[str, Any]]]) -> list[str]:
    """The model's name, with the run's folder behind it where two runs have the same, and a number where that is not enough."""
    plain = [str(part(record, "model").get("name") or folder_name(path)) for path, record in runs]
    named = [
        name if plain.count(name) == 1 else f"{name} · {folder_name(path)}"
        for name, (path, _) in zip(plain, runs, strict=True)
    ]
    return [
        name if named.count(name) == 1 else f"{name} ({named[: place + 1].count(name)})"
        for place, name in enumerate(named)
    ]


def chosen(results: Sequence[dict[str, Any]], *, parts: bool) -> list[dict[str, Any]]:
    """The results that are shown: those of one script, scale or bit only with `parts`.

    `photos[Latin]` is a part where there are results of `photos`; else it is how a data set is called.
    """
    whole = {str(row["dataset"]) for row in results}
    return [
        row
        for row in results
        if parts or not str(row["dataset"]).endswith("]") or str(row["dataset"]).rpartition("[")[0] not in whole
    ]


def sample_table(entrant: Entrant, results: Sequence[dict[str, Any]]) -> SampleTable:
    """The samples of a run, with the columns that these results can come from."""
    return SampleTable(_samples(entrant.path, results), str(part(entrant.record, "data").get("name") or ""))


def _figures(entrant: Entrant, wanted: Sequence[dict[str, Any]], table: SampleTable) -> list[Figure]:
    figures = []
    for row in wanted:
        value = as_float(row.get("value")) if row.get("status", "ok") == "ok" else None
        scores = table.scores(row, value) if value is not None else None
        terms = terms_of(entrant.record, row, scores.digest if scores else "")
        figures.append(
            Figure(
                entrant.number,
                terms,
                value,
                _finite(row.get("low")),
                _finite(row.get("high")),
                str(row.get("ci_method") or ""),
                str(row.get("unit") or ""),
                direction(row),
                None if value is not None else str(row.get("reason") or "the run states no value"),
                scores,
            )
        )
    return figures


def direction(result: dict[str, Any]) -> Direction:
    """Which values of a result are better: as its metric is declared, else as the run says; `none` is never ranked."""
    declared = METRICS.find(str(result["metric"]))
    if declared is not None:
        return declared.better
    said = result.get("better")
    return "lower" if said == "lower" else "higher" if said == "higher" else "none"


def _samples(path: Path, results: Sequence[dict[str, Any]]) -> pa.Table:
    """The columns that the results can come from; texts only where a corpus rate needs their lengths."""
    metrics = {str(row["metric"]) for row in results if row.get("status", "ok") == "ok"}
    declared = [found for metric in metrics if (found := METRICS.find(metric))]
    wanted = {*NEEDED, *metrics, *(name for metric in declared for name in metric.by_sample.read)} - {"prompt"}
    table = table_of(path / "samples.parquet", sorted(wanted))
    if "id" not in table.column_names:
        raise EvalkitError(f"{path / 'samples.parquet'} has no column id. Give a run that evalkit wrote")
    return table


def _finite(value: Any) -> float | None:
    number = as_float(value)
    return number if number is not None and math.isfinite(number) else None
