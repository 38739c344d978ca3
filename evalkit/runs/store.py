"""The run directory: shards while it runs, sealed open files when it is done. A shard that exists is not done again."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json, pretty_json
from evalkit.runs.record import file_digests, with_digest

Status = Literal["ok", "unavailable"]
RECORD, ATTESTATION = "record.json", "attestation.json"


@dataclass(frozen=True)
class Result:
    """One number of a run; a metric that could not be computed is a row with `status` unavailable and a reason."""

    task: str
    dataset: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    ci_method: str
    n: int
    unit: str
    better: str
    protocol: str
    status: Status = "ok"
    reason: str | None = None


@dataclass(frozen=True)
class Picture:
    """A kept image pair: paths are relative to the run directory."""

    id: str
    protocol: str
    kind: str  # worst, text or kept
    rank: int
    original: str
    reconstruction: str
    scores: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A sealed run, read back."""

    path: Path
    record: dict[str, Any]
    results: list[dict[str, Any]]
    samples: pa.Table
    pictures: list[dict[str, Any]]


@dataclass(frozen=True)
class ShardOutput:
    """What one shard leaves: rows in sample order, named float arrays, and named files (images)."""

    rows: pa.Table
    arrays: Mapping[str, np.ndarray[Any, Any]]
    files: Mapping[str, bytes] = field(default_factory=dict)


class RunStore:
    """Writes one run directory. Everything appears by rename, so that kill -9 at any moment loses only work in flight."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shards = path / "shards"

    @property
    def sealed(self) -> bool:
        """Whether the run is complete."""
        return (self.path / "record.json").exists()

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Open the directory for `plan` (whatever decides the results); another plan in it is an error."""
        wanted = canonical_json(plan)
        plan_file = self.path / "plan.json"
        if plan_file.exists() and plan_file.read_bytes() != wanted:
            raise EvalkitError(
                f"{self.path} holds another run (other model, data, protocol or options); "
                "give a fresh --out, or remove that folder"
            )
        if not plan_file.exists() and self.path.exists() and any(self.path.iterdir()):
            raise EvalkitError(f"{self.path} is not empty and is not a run directory; give a fresh --out")
        if self.sealed:  # a kill between sealing and sweeping leaves the shards behind
            shutil.rmtree(self.shards, ignore_errors=True)
            return
        self.shards.mkdir(parents=True, exist_ok=True)
        for left in self.shards.glob(".writing-*"):
            shutil.rmtree(left, ignore_errors=True)
        write_bytes(plan_file, wanted)

    def has(self, key: str) -> bool:
        """Whether the shard `key` is done."""
        return (self.shards / key).is_dir()

    def put(self, key: str, output: ShardOutput) -> None:
        """Store a shard's output under `key`, whole or not at all."""
        temporary = self.shards / f".writing-{key}-{uuid.uuid4().hex[:8]}"
        temporary.mkdir(parents=True)
        pq.write_table(output.rows, temporary / "rows.parquet")
        arrays: dict[str, Any] = {k: np.asarray(v) for k, v in output.arrays.items()}
        np.savez(temporary / "arrays.npz", **arrays)
        for name, data in output.files.items():
            (temporary / "files").mkdir(exist_ok=True)
            (temporary / "files" / name).write_bytes(data)
        try:
            temporary.rename(self.shards / key)
        except OSError:  # another worker finished the same shard first
            if not self.has(key):
                raise
            shutil.rmtree(temporary)

    def rows(self, key: str) -> pa.Table:
        """The rows of a finished shard."""
        return pq.read_table(self.shards / key / "rows.parquet")

    def arrays(self, key: str) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of a finished shard."""
        with np.load(self.shards / key / "arrays.npz") as z:
            return dict(z)

    def write_samples(self, keys: Sequence[str]) -> pa.Table:
        """Fold the shards' rows, in plan order, into samples.parquet; memory holds one shard at a time."""
        final = self.path / "samples.parquet"
        temporary = final.with_name(".writing-samples.parquet")
        writer: pq.ParquetWriter | None = None
        for table in (self.rows(key) for key in keys):
            writer = writer or pq.ParquetWriter(temporary, table.schema)
            writer.write_table(table)
        if writer is None:
            raise EvalkitError("there is nothing to evaluate: the image set is empty")
        writer.close()
        temporary.replace(final)
        return pq.read_table(final)

    def shard_files(self, keys: Sequence[str]) -> Iterator[Path]:
        """Files that shards kept, in plan order."""
        for key in keys:
            yield from sorted((self.shards / key / "files").glob("*"))

    def seal(self, record: Mapping[str, Any]) -> None:
        """Write record.json, the mark of a complete run, and drop the shards.

        Its `files` are the sha256 of every file that is there (what the job listed is not read again), its `digest` that
        of the rest of itself.
        """
        listed = record.get("files", {})
        names = [each.name for each in self.path.iterdir() if not each.name.startswith(".writing-")]
        found = file_digests(self.path, sorted(set(names) - {RECORD, ATTESTATION, self.shards.name}), listed)
        write_bytes(self.path / RECORD, pretty_json(with_digest({**record, "files": found})))
        shutil.rmtree(self.shards, ignore_errors=True)

    def cover(self, name: str, *, renew: bool = False) -> None:
        """Add digests of what was made from the sealed run: a page, or a folder of files; a signed run stays as it is.

        A page that the record knows keeps its digest, unless it was just made anew (`renew`).
        """
        record = json.loads((self.path / RECORD).read_bytes())
        files: dict[str, str] = record.get("files", {})
        if (self.path / ATTESTATION).exists() or (name in files and not renew):
            return
        kept = {each: digest for each, digest in files.items() if each != name and not each.startswith(f"{name}/")}
        found = kept | file_digests(self.path, [name])
        if found != files:
            write_bytes(self.path / RECORD, pretty_json(with_digest({**record, "files": found})))


def read_run(path: str | Path) -> Run:
    """The sealed run in the folder `path`; raises `EvalkitError` where there is none or it is not finished."""
    folder = Path(path)
    if not (folder / "record.json").exists():
        state = (
            "an unfinished run: type its command again to resume it" if (folder / "plan.json").exists() else "no run"
        )
        raise EvalkitError(
            f"{folder} holds {state}; expected a folder with record.json, as `evalkit tokenizer` leaves it"
        )
    index = folder / "images" / "index.json"
    return Run(
        path=folder,
        record=json.loads((folder / "record.json").read_bytes()),
        results=json.loads((folder / "results.json").read_bytes()),
        samples=pq.read_table(folder / "samples.parquet"),
        pictures=json.loads(index.read_bytes()) if index.exists() else [],
    )


def results_json(results: Sequence[Result]) -> bytes:
    """results.json: one row a number, finite numbers only (infinity is written as a string)."""
    rows = [asdict(r) for r in results]
    for row in rows:
        for key in ("value", "low", "high"):
            if isinstance(row[key], float) and not np.isfinite(row[key]):
                row[key] = "inf" if row[key] > 0 else "-inf" if row[key] < 0 else None
    return pretty_json(rows)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".writing-{path.name}-{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


def check_target(folder: Path, runs: Sequence[Path], what: str, is_ours: Callable[[], bool]) -> None:
    """Raise unless `folder` may be written as pages over `runs`: outside of them, and new, empty or an earlier `what`."""
    place = folder.resolve()
    for run in runs:
        if place.is_relative_to(run.resolve()):
            raise EvalkitError(f"{folder} lies inside the run {run}, which is sealed; give an --out beside it")
    if folder.is_file():
        raise EvalkitError(f"{folder} is a file; give a folder as --out")
    if folder.is_dir() and any(folder.iterdir()) and not is_ours():
        raise EvalkitError(f"{folder} is not empty and holds no earlier {what}; give a fresh --out")
