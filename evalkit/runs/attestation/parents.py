"""Following a run to the runs that it was made from, by the digests that its statement holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.runs.attestation.files import digest
from evalkit.runs.attestation.sign import parents_of
from evalkit.runs.attestation.statement import Parent, parent_of
from evalkit.runs.attestation.verdict import Failure, Verdict

DEPTH = 3


def follow(
    folder: Path, below: Path | None, verify: Callable[[Path], Verdict]
) -> tuple[tuple[Verdict, ...], tuple[Failure, ...]]:
    """Verdicts on the parents of `folder` that lie in the folder `below`, and those that do not, or have changed."""
    if below is None:
        return (), ()
    if not below.is_dir():
        raise EvalkitError(f"--parents {below} is no folder; give the one that holds the parent runs")
    found: list[Verdict] = []
    lost: list[Failure] = []
    runs = {digest(path): path.parent for path in _records(below, DEPTH)}
    for parent in parents_of(folder):
        if parent.record in runs:
            verdict = verify(runs[parent.record])
            found.append(verdict)
            lost += _samples(parent, runs[parent.record], verdict)
        else:
            named = [path for path in runs.values() if path.name == parent.name]
            said = "its record.json is another one now" if named else f"this parent is not below {below}"
            lost.append(Failure(f"{parent.name}/record.json", said))
    return tuple(found), tuple(lost)


def _samples(parent: Parent, folder: Path, verdict: Verdict) -> list[Failure]:
    """The samples must be those that the child was made from."""
    if verdict.failures or parent_of(folder).samples == parent.samples:
        return []
    return [Failure(f"{parent.name}/samples.parquet", "its samples are not those that this run was made from")]


def _records(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "record.json").is_file():
        yield folder / "record.json"
    elif depth > 0:
        for each in sorted(folder.iterdir()):
            if each.is_dir() and not each.is_symlink():
                yield from _records(each, depth - 1)
