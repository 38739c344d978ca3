"""Features of both sets as rows on disk, and the files of a run from which `verify` takes them again."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from evalkit.metrics.moments import Moments, save_moments
from evalkit.metrics.npz import arrays_of
from evalkit.metrics.rows import moments_of
from evalkit.metrics.sets.bank import FeatureBank
from evalkit.metrics.sets.composition import FRECHET, HEADS, POOL, Side
from evalkit.metrics.statistics_file import ReferenceFile, StoredGaussian
from evalkit.runs.shards import MemoryParts, Parts
from evalkit.runs.store import Run
from evalkit.tasks.score.rows import IMAGES, REFERENCE

FOLDER, FILE, MOMENTS, PROJECTION = "statistics", "file", "moments", "projection"
KEPT = 2**28  # bytes of all features up to which a run keeps them; beyond, it keeps moments
_BLOCK = 256  # rows that are written at once


@dataclass
class Collected:
    """What the shards left: banks by side and head, and the arrays of a reference's file."""

    banks: dict[str, dict[str, FeatureBank]] = field(default_factory=lambda: {IMAGES: {}, REFERENCE: {}})
    file: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    @property
    def few(self) -> bool:
        """Whether a run keeps the features themselves."""
        size = sum(4 * len(bank) * bank.shape[1] for side in self.banks.values() for bank in side.values())
        return size <= KEPT


def collected(parts: Parts) -> Collected:
    """Features of every shard in their order; memory holds one shard at a time."""
    found = Collected()
    for arrays in parts.arrays():
        for name, array in arrays.items():
            side, _, head = name.partition("|")
            if side == FILE:
                found.file[head] = array
            elif side in found.banks:
                found.banks[side].setdefault(head, FeatureBank()).add(array)
    return found


def sides_of(found: Collected, name: str, labels: Mapping[str, Any]) -> tuple[Side, Side]:
    """The images and the reference called `name`, as the metrics take them; `labels`: one class an image by side."""
    file = _file(found, name)
    rows: dict[str, Any] = dict(found.banks[REFERENCE])
    if "feats" in found.file and POOL not in rows:
        rows[POOL] = found.file["feats"]
    return (
        Side(found.banks[IMAGES], labels.get(IMAGES)),
        Side(rows, labels.get(REFERENCE), file),
    )


def files_of(found: Collected) -> dict[str, bytes | Iterator[bytes]]:
    """Features by side and head where they are few, else their moments; and what the reference's file held."""
    files: dict[str, bytes | Iterator[bytes]] = {}
    for side, banks in found.banks.items():
        for head, bank in banks.items():
            if found.few:
                files[f"{FOLDER}/{side}-{head}.npz"] = _npz("features", bank)
            elif head in {HEADS[name] for name in FRECHET} and len(bank) > 1:
                files[f"{FOLDER}/{MOMENTS}-{side}-{head}.npz"] = _moments(moments_of(bank))
    if found.file:
        files[f"{FOLDER}/{FILE}.npz"] = _plain(found.file)
    return files


class KeptParts(MemoryParts):
    """Rows and kept features of a sealed run; one file is in memory at a time."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.samples, None, run.record)
        self.folder = run.path / FOLDER

    def arrays(self) -> Iterator[Mapping[str, np.ndarray[Any, Any]]]:
        """The arrays that the shards had."""
        for path in sorted(self.folder.glob("*.npz")):
            side, _, head = path.stem.partition("-")
            if side in (MOMENTS, PROJECTION):
                continue
            held = arrays_of(path)
            if side == FILE:
                yield {f"{FILE}|{name}": array for name, array in held.items()}
            else:
                yield {f"{side}|{head}": held["features"]}


def moments_files(run: Run) -> dict[tuple[str, str], Path]:
    """Files of moments by (side, head)."""
    found = {}
    for path in sorted((run.path / FOLDER).glob(f"{MOMENTS}-*.npz")):
        side, _, head = path.stem.removeprefix(f"{MOMENTS}-").partition("-")
        found[side, head] = path
    return found


def _file(found: Collected, name: str) -> ReferenceFile | None:
    if not found.file:
        return None
    arrays, n = found.file, found.file.get("n")
    count = None if n is None else int(n)

    def stored(mean: str, sigma: str) -> StoredGaussian | None:
        return StoredGaussian(arrays[mean], arrays[sigma], count) if mean in arrays else None

    images = next((len(bank) for bank in found.banks[REFERENCE].values()), 0)
    return ReferenceFile(Path(name), stored("mu", "sigma"), stored("mu_s", "sigma_s"), arrays.get("feats"), images)


def _npz(name: str, bank: FeatureBank) -> Iterator[bytes]:
    """An npz file of one array, in pieces, so that memory holds a block of rows."""
    sink, dtype = _Sink(), bank[0:1].dtype
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": bank.shape}
    member = zipfile.ZipInfo(f"{name}.npy")  # of a fixed date, so that equal features are equal files
    with (
        zipfile.ZipFile(cast(IO[bytes], sink), "w", zipfile.ZIP_STORED) as archive,
        archive.open(member, "w", force_zip64=True) as stream,
    ):
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(bank), _BLOCK):
            stream.write(np.ascontiguousarray(bank[start : start + _BLOCK]).tobytes())
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """Where a zip file is written to when nobody can go back in it."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        data, self._held = b"".join(self._held), []
        return data


def _moments(moments: Moments) -> bytes:
    buffer = io.BytesIO()
    save_moments(buffer, features=moments)
    return buffer.getvalue()


def _plain(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: arrays[name] for name in sorted(arrays)})  # type: ignore[arg-type]
    return buffer.getvalue()
