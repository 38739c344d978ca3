"""The run directory: shards while it runs, sealed open files when it is done. A shard that exists is not done again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.shard import ShardOutput
from evalkit.jobs.spec import apart, different
from evalkit.jsonio import canonical_json, parse_json, pretty_json
from evalkit.runs.durable import sweep, write_bytes
from evalkit.runs.frames import Part, Results, part_of, results_html, to_pandas, to_polars
from evalkit.runs.lock import NAME as LOCK
from evalkit.runs.plain import read_plain
from evalkit.runs.record import file_digests, with_digest
from evalkit.runs.sealed import check_sealed
from evalkit.runs.shards import ABOUT, LocalParts, ShardFolder
from evalkit.runs.tables import table_of, write_tables
from evalkit.text import listed
from evalkit.weights.object_stores import fetched, is_url, opened
from evalkit.whole_files import WRITING, whole

Status = Literal["ok", "unavailable"]
RECORD, ATTESTATION, PLAN, SAMPLES = "record.json", "attestation.json", "plan.json", "samples.parquet"
PIECE = 16_384  # rows that are written together, unless shards are larger
FRESH = "give a fresh --out, or remove that folder"


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
class Run:
    """A sealed run, read back."""

    path: Path
    record: dict[str, Any] = field(repr=False)
    results: list[dict[str, Any]] = field(repr=False)
    samples: pa.Table = field(repr=False)
    images: list[dict[str, Any]] = field(repr=False)

    def to_pandas(self, part: Part = "results") -> Any:
        """The results, or one row per sample and protocol (part="samples"), as a pandas frame."""
        return to_pandas(part_of(self.results, self.samples, part))

    def to_polars(self, part: Part = "results") -> Any:
        """The same as a polars frame."""
        return to_polars(part_of(self.results, self.samples, part))

    def _repr_html_(self) -> str:
        return results_html(f"{self.record.get('task', 'run')}: {self.path.name}", self.results)


class RunStore:
    """Writes one run directory. Everything appears by rename, so that kill -9 at any moment loses only work in flight."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shards = path / "shards"
        self._done = ShardFolder(self.shards)
        self._sweeping: Thread | None = None

    @property
    def sealed(self) -> bool:
        """Whether the run is complete."""
        return (self.path / RECORD).exists()

    def begin(self, plan: Mapping[str, Any], changed: Callable[[], Sequence[str]] = tuple) -> None:
        """Open the directory for `plan` (all that decides the results); another plan in it is an error.

        `changed`: names of inputs that hold something else now, for that error.
        """
        wanted = canonical_json(plan)
        plan_file = self.path / PLAN
        before = plan_file.read_bytes() if plan_file.exists() else wanted
        if before != wanted and wanted.startswith(before) and not self.sealed:  # a power cut: whose shards are these?
            self.forget()
        elif before != wanted and (self.sealed or self._begun_shards()):
            raise EvalkitError(f"{self.path} holds another run ({_other(plan_file, plan, changed)}")
        if not plan_file.exists() and self._strangers():
            raise EvalkitError(f"{self.path} is not empty and is not a run directory; give a fresh --out")
        if self.sealed:
            if self.shards.exists() and not self.kept():  # a kill between sealing and sweeping leaves them behind
                shutil.rmtree(self.shards, ignore_errors=True)
            return
        write_bytes(plan_file, wanted)  # first, so that the folder is known as a run from then on
        self.shards.mkdir(parents=True, exist_ok=True)
        sweep(self.path)

    def unseal(self, stale: Sequence[str] = ()) -> None:
        """Make a sealed run unfinished again; a signature no longer holds.

        Its shards and other files are left where they are, but for the `stale` ones.
        """
        for name in (
            ATTESTATION,
            RECORD,
            "report.html",
        ):  # the signature first, so that none is left without its record
            (self.path / name).unlink(missing_ok=True)
        for name in stale:
            place = self.path / name
            shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(missing_ok=True)

    def take_over(self, plan: Mapping[str, Any]) -> None:
        """Go on under another plan with the shards that are there."""
        write_bytes(self.path / PLAN, canonical_json(plan))

    def kept(self) -> dict[str, str]:
        """The sha256 of about.json of each shard that the sealed run keeps, for its samples that failed."""
        record = _parsed(self.path / RECORD, dict)
        parts = {name: name.split("/") for name in record.get("files", {})}
        mine = {name: each for name, each in parts.items() if each[0] == self.shards.name and each[-1] == ABOUT}
        return {each[1]: str(record["files"][name]) for name, each in mine.items()}

    def forget(self) -> None:
        """Remove all shards."""
        shutil.rmtree(self.shards, ignore_errors=True)

    def keys(self) -> set[str]:
        """The keys of all shards that are there, exhibits among them."""
        return self._done.keys()

    def drop(self, key: str) -> None:
        """Remove the shard `key`, so that it is done again."""
        self._done.drop(key)

    def abandon(self) -> None:
        """Remove a run of which no shard was finished, so that a mistake leaves nothing behind."""
        if not self.sealed and not self._begun_shards():
            shutil.rmtree(self.shards, ignore_errors=True)
            (self.path / PLAN).unlink(missing_ok=True)

    def has(self, key: str) -> bool:
        """Whether the shard `key` is done, and its bytes are those that were written."""
        return self._done.has(key)

    def put(self, key: str, output: ShardOutput) -> None:
        """Store a shard's output under `key`, whole or not at all."""
        self._done.put(key, output)

    def parts(self, keys: Sequence[str]) -> LocalParts:
        """The finished shards `keys`, in this order."""
        return self._done.parts(keys)

    def place(self, keys: Sequence[str]) -> None:
        """Move the files of finished shards to their places in the run."""
        self._done.place(keys, self.path)

    def write(
        self,
        rows: Iterable[pa.Table],
        results: Sequence[Result],
        files: Mapping[str, bytes | Iterable[bytes]],
        schema: pa.Schema,
    ) -> None:
        """samples.parquet, results.json and further files; memory holds few tables at a time."""
        with whole(self.path / SAMPLES) as temporary:
            write_tables(temporary, _joined(rows), schema)
        for name, data in files.items():
            write_bytes(self.path / name, data)
        write_bytes(self.path / "results.json", results_json(results))

    def seal(self, record: Mapping[str, Any], *, keep: bool = False) -> None:
        """Write record.json, the mark of a complete run; drop the shards in a thread (`settle`), or `keep` them for
        another try.

        Its `files` are the sha256 of every file that is there (what the job listed is not read again), its `digest` that
        of the rest of itself.
        """
        listed = record.get("files", {})
        names = [each.name for each in self.path.iterdir() if not each.name.startswith(WRITING)]
        others = {RECORD, ATTESTATION, LOCK} if keep else {RECORD, ATTESTATION, LOCK, self.shards.name}
        found = file_digests(self.path, sorted(set(names) - others), listed)
        write_bytes(self.path / RECORD, pretty_json(with_digest({**record, "files": found})))
        if not keep:
            self._sweeping = Thread(target=shutil.rmtree, args=(self.shards, True))
            self._sweeping.start()

    def settle(self) -> None:
        """Wait until dropped shards are gone."""
        if self._sweeping is not None:
            self._sweeping.join()

    def _begun_shards(self) -> bool:
        return self._done.any()

    def _strangers(self) -> bool:
        if not self.path.exists():
            return False
        return any(each.name != LOCK and not each.name.startswith(WRITING) for each in self.path.iterdir())

    def cover(self, name: str, *, renew: bool = False) -> None:
        """Add digests of what was made from the sealed run: a page, or a folder of files; a signed run stays as it is.

        A page that the record knows keeps its digest, unless it was just made anew (`renew`).
        """
        record = parse_json((self.path / RECORD).read_bytes(), str(self.path / RECORD))
        files: dict[str, str] = record.get("files", {})
        if (self.path / ATTESTATION).exists() or (name in files and not renew):
            return
        kept = {each: digest for each, digest in files.items() if each != name and not each.startswith(f"{name}/")}
        found = kept | file_digests(self.path, [name])
        if found != files:
            write_bytes(self.path / RECORD, pretty_json(with_digest({**record, "files": found})))


def read_run(path: str | Path) -> Run:
    """The sealed run in the folder `path`, or at an address such as s3://bucket/run.

    Raises `EvalkitError` where there is none, where it is not finished, and where it was changed after sealing.

    >>> import pathlib, tempfile
    >>> import evalkit
    >>> from evalkit.jobs.options import RunOptions
    >>> out = pathlib.Path(tempfile.mkdtemp()) / "run"
    >>> made = evalkit.evaluate_tokenizer("jpeg-q75", "sample/photos", tasks=["reconstruction"],
    ...                                   options=RunOptions(out=out, limit=2, keep="none"))
    >>> read_run(out).results[0]["metric"]
    'psnr'
    """
    folder = local_run(path)
    if not (folder / "record.json").exists():
        state = (
            "an unfinished run: type its command again to resume it" if (folder / "plan.json").exists() else "no run"
        )
        raise EvalkitError(
            f"{folder} holds {state}; expected a folder with record.json, as `evalkit tokenizer` leaves it"
        )
    index = folder / "images" / "index.json"
    try:
        record = _parsed(folder / RECORD, dict)
        check_sealed(folder, record)
        return Run(
            path=folder,
            record=record,
            results=Results(_parsed(folder / "results.json", list)),
            samples=table_of(folder / SAMPLES),
            images=_parsed(index, list) if index.exists() else [],
        )
    except (OSError, pa.ArrowException) as error:
        reason = (str(getattr(error, "strerror", None) or error).splitlines() or [""])[0]
        raise EvalkitError(f"{folder} cannot be read ({reason}). Check it: evalkit verify {folder}") from None


def local_run(path: str | Path) -> Path:
    """The folder of a run: its own, or that of a copy, made now, of one in an object store."""
    if not isinstance(path, str) or not is_url(path):
        return Path(path)
    if opened(path).read(RECORD) is None:
        raise EvalkitError(
            f"{path} holds no finished run. Type its command again to resume it, or give another address"
        )
    return fetched(path)


def _joined(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows of small tables together, so that a large run is read in few pieces, however it was split."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(each.num_rows for each in held) >= PIECE:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def _parsed(path: Path, kind: type) -> Any:
    found = parse_json(read_plain(path), str(path))
    if not isinstance(found, kind):
        raise EvalkitError(
            f"{path} holds no {'object' if kind is dict else 'list'}. Check it: evalkit verify {path.parent}"
        )
    return found


def results_json(results: Sequence[Result]) -> bytes:
    """results.json: one row a number, finite numbers only (infinity is written as a string)."""
    rows = [asdict(r) for r in results]
    for row in rows:
        for key in ("value", "low", "high"):
            if isinstance(row[key], float) and not np.isfinite(row[key]):
                row[key] = "inf" if row[key] > 0 else "-inf" if row[key] < 0 else None
    return pretty_json(rows)


def _other(plan_file: Path, plan: Mapping[str, Any], changed: Callable[[], Sequence[str]]) -> str:
    """In what the plan of a folder differs from the wanted one, and what to do."""
    try:
        before = parse_json(plan_file.read_bytes(), str(plan_file))
        names, said = different(before, plan), apart(before, plan)
    except (ValueError, AttributeError):
        return f"its plan.json cannot be read); {FRESH}"
    files = changed() if any(map(of_content, names)) else ()
    named = f": {listed(files)}" if files else ""
    again = ", or --retry-failed where a failed input came back" if all(map(of_content, names)) else ""
    return f"{said}{named}); {FRESH}{again}"


def of_content(name: str) -> bool:
    """Whether a part of a plan says what an input holds."""
    return name == "parameters.asked" or (
        name.startswith("inputs.") and name.endswith((".digest", ".settings.listing"))
    )


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


__all__ = [
    "ATTESTATION",
    "RECORD",
    "Result",
    "Run",
    "RunStore",
    "ShardOutput",
    "check_target",
    "read_run",
    "results_json",
    "write_bytes",
]
