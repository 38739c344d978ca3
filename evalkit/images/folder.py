"""Folders and globs of image files, with true text beside them where somebody knows it."""

from __future__ import annotations

import csv
import glob
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.decode import SUFFIXES
from evalkit.images.loader import read_ahead, sample_from_bytes
from evalkit.images.sample import ImageSet, Sample, Unreadable

MAX_FILE = 2**30  # bytes; a larger file is no photograph


class FolderSet(ImageSet):
    """Image files by relative path. Known meta of a file: `<stem>.txt` beside it (its true text), or a row of
    `metadata.jsonl` or `metadata.csv` with `file_name` and any of `text`, `subset`, `task`, `script`.
    """

    def __init__(self, root: Path, files: Iterable[str | Path], *, spec: str, name: str) -> None:
        self.root, self.spec, self.name = root, spec, name
        order = sorted((_stable_id(file, root), file) for file in [os.fspath(each) for each in files])
        self._ids = [each for each, _ in order]
        self._files = [file for _, file in order]
        self._meta = read_metadata(root)

    @classmethod
    def of_folder(cls, root: Path) -> FolderSet:
        """Every image file below `root`; hidden files and folders are left out, links are followed once."""
        return cls(root, _walk(root), spec=str(root), name=root.resolve().name)

    @classmethod
    def of_glob(cls, pattern: str) -> FolderSet:
        """The image files that a shell pattern (with `**`) names."""
        found = [Path(p) for p in glob.glob(pattern, recursive=True) if is_image_name(p) and os.path.isfile(p)]
        fixed = Path(pattern.split("*")[0].split("?")[0].split("[")[0])
        root = fixed if fixed.is_dir() else fixed.parent
        return cls(root, found, spec=pattern, name=root.resolve().name)

    def ids(self) -> Sequence[str]:
        """Relative POSIX paths, sorted; bytes that are not UTF-8 are written as \\xNN."""
        return self._ids

    def fingerprint(self, index: int) -> str:
        """Size and modification time of the file."""
        try:
            state = os.stat(self._files[index])
        except OSError:
            return "missing"
        return f"{state.st_size} {state.st_mtime_ns}"

    def file(self, index: int) -> Path:
        """Where the image lies."""
        return Path(self._files[index])

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Samples in order, decoded ahead."""
        return read_ahead(self._load, start, min(stop, len(self._files)), threads)

    def _load(self, index: int) -> Sample | Unreadable:
        file, id = self.file(index), self._ids[index]
        return sample_from_bytes(id, lambda: _read_file(file), self._meta_of(file, id))

    def _meta_of(self, file: Path, id: str) -> Mapping[str, Any]:
        known = dict(self._meta.get(id, {}))
        beside = file.with_suffix(".txt")
        if "text" not in known and beside.is_file():
            known["text"] = beside.read_text(encoding="utf-8", errors="replace")
        return known


def is_image_name(name: str | Path) -> bool:
    """Whether a file name has a known image suffix and is not hidden."""
    last = os.path.basename(name)
    return os.path.splitext(last)[1].lower() in SUFFIXES and not last.startswith(".")


def read_metadata(root: Path) -> dict[str, dict[str, Any]]:
    """Rows of metadata.jsonl or metadata.csv in `root` by `file_name` (the convention of hub image folders)."""
    lines, table = root / "metadata.jsonl", root / "metadata.csv"
    rows: list[dict[str, Any]] = []
    try:
        if lines.is_file():
            rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines() if line.strip()]
        elif table.is_file():
            with table.open(newline="", encoding="utf-8") as stream:
                rows = [{k: v for k, v in row.items() if v != ""} for row in csv.DictReader(stream)]
        return {str(row.pop("file_name")): row for row in rows}
    except (ValueError, KeyError, AttributeError) as error:
        which = lines.name if lines.is_file() else table.name
        raise EvalkitError(f"{which} in {root} cannot be read ({error!r}); each row needs file_name") from None


def _walk(root: Path) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        state = os.stat(folder)
        if (state.st_dev, state.st_ino) in seen:  # a link that leads back
            subfolders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        subfolders[:] = sorted(each for each in subfolders if not each.startswith("."))
        yield from (os.path.join(folder, file) for file in files if is_image_name(file))


def _stable_id(file: str, root: Path) -> str:
    inside = os.path.join(os.fspath(root), "")
    relative = file[len(inside) :] if file.startswith(inside) else os.path.relpath(file, root)
    relative = relative.replace(os.sep, "/")
    return os.fsencode(relative).decode("utf-8", "backslashreplace")


def _read_file(file: Path) -> bytes:
    if not file.is_file():
        raise OSError("not a regular file (a broken link?)")
    if file.stat().st_size > MAX_FILE:
        raise OSError(f"{file.stat().st_size} bytes are more than the {MAX_FILE} allowed")
    return file.read_bytes()
