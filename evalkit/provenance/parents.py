"""Following a run to the runs that it was made from, by the digests that its statement holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Failure
from evalkit.jsonio import parse_json
from evalkit.provenance.files import digest
from evalkit.provenance.sign import parents_of
from evalkit.provenance.statement import Parent, parent_of
from evalkit.provenance.verdict import Verdict
from evalkit.runs.store import RECORD
from evalkit.runs.tables import table_of

DEPTH = 3


def follow(
    folder: Path, below: Path | None, above: Collection[str], verify: Callable[[Path], Verdict]
) -> tuple[tuple[Verdict, ...], tuple[Failure, ...]]:
    """Verdicts on the parents of `folder` that lie in the folder `below`, and those that do not, or have changed.

    `above`: digests of the records on the way here, of which none can be a parent.
    """
    if below is None:
        return (), ()
    if not below.is_dir():
        raise EvalkitError(f"--parents {below} is no folder; give the one that holds the parent runs")
    found: list[Verdict] = []
    lost: list[Failure] = []
    runs = {digest(path): path.parent for path in _records(below, DEPTH)}
    named = parents_of(folder)
    for parent in named:
        if parent.record in above:
            lost.append(Failure(f"{parent.name}/{RECORD}", "a run cannot be made from itself"))
        elif parent.record in runs:
            verdict = verify(runs[parent.record])
            found.append(verdict)
            lost += _samples(parent, runs[parent.record], verdict)
        else:
            same = [path for path in runs.values() if path.name == parent.name]
            said = f"its {RECORD} is another one now" if same else f"this parent is not below {below}"
            lost.append(Failure(f"{parent.name}/{RECORD}", said))
    if not lost and not any(verdict.failures for verdict in found):
        lost += _strangers(folder, [runs[parent.record] for parent in named])
    return tuple(found), tuple(lost)


def _samples(parent: Parent, folder: Path, verdict: Verdict) -> list[Failure]:
    """The samples must be those that the child was made from."""
    if verdict.failures or parent_of(folder).samples == parent.samples:
        return []
    return [Failure(f"{parent.name}/samples.parquet", "its samples are not those that this run was made from")]


def _strangers(folder: Path, parents: Sequence[Path]) -> list[Failure]:
    """Images that a tokenizer's run read and that no parent holds; a parent that is an array keeps no files."""
    mine, data = folder / "samples.parquet", (_record(folder).get("data") or {}).get("spec")
    if not parents or _record(folder).get("task") != "tokenizer" or str(data).endswith(".npz"):
        return []
    known = {value for path in parents for value in _column(path / "samples.parquet")}
    strange = sum(1 for value in _column(mine) if value is not None and value not in known)
    return [Failure(mine.name, f"{strange} of its images are in no parent")] if strange else []


def _column(path: Path) -> list[str | None]:
    rows = table_of(path, ["sha256"])
    found: list[str | None] = rows["sha256"].to_pylist() if rows.column_names else []
    return found


def _record(folder: Path) -> dict[str, Any]:
    found: Any = parse_json((folder / RECORD).read_bytes(), str(folder / RECORD)) if (folder / RECORD).exists() else {}
    return found if isinstance(found, dict) else {}


def _records(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / RECORD).is_file():
        yield folder / RECORD
    elif depth > 0:
        for each in sorted(folder.iterdir()):
            if each.is_dir() and not each.is_symlink():
                yield from _records(each, depth - 1)
