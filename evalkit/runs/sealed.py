"""What a sealed run says of itself is believed only while its files are those that were sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.runs.durable import sha256_of
from evalkit.runs.record import with_digest

READ = ("results.json", "samples.parquet", "images/index.json")


def check_sealed(folder: Path, record: Mapping[str, Any], names: Sequence[str] = READ) -> None:
    """Raise `EvalkitError` where the record, or one of the files `names`, was changed after sealing.

    Cheap: images are left to `evalkit verify`. Records of earlier versions state fewer digests, and those are checked.
    """
    if "digest" in record and with_digest(record) != record:
        raise changed(folder, "record.json")
    files = record.get("files")
    sealed = files if isinstance(files, Mapping) else {}
    for name in names:
        path = folder / name
        if name in sealed and not (path.is_file() and sha256_of(path) == sealed[name]):
            raise changed(folder, name)


def changed(folder: Path, name: str) -> EvalkitError:
    """The error that says so."""
    return EvalkitError(f"{folder / name} was changed after sealing. See what else was: evalkit verify {folder}")
