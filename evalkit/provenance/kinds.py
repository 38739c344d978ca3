"""What a folder is to verification: a run with its record, images with a manifest, or mere files that were signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jobs.checks import Failure
from evalkit.jsonio import parse_json, pretty_json
from evalkit.provenance.files import digest
from evalkit.runs.plain import read_plain
from evalkit.runs.record import with_digest
from evalkit.runs.store import ATTESTATION, RECORD, Run, read_run

Kind = Literal["run", "manifest", "board", "files"]
MANIFEST, BOARD = "manifest.jsonl", "leaderboard.json"
OF_A_RUN = (RECORD, "plan.json", "samples.parquet")


@dataclass(frozen=True)
class Listed:
    """sha256 by name that a folder states of its own files; `whole`: it states them of every file."""

    files: Mapping[str, str]
    whole: bool
    failure: Failure | None = None


def kind_of(folder: Path) -> Kind:
    """What `folder` is; raises `EvalkitError` where there is nothing that could be checked."""
    signed = (folder / ATTESTATION).is_file()
    if any((folder / name).is_file() for name in OF_A_RUN):
        if not signed and not (folder / RECORD).is_file():
            read_run(folder)  # says that it is not finished
        return "run"
    if (folder / MANIFEST).is_file():
        return "manifest"
    if (folder / BOARD).is_file():
        return "board"
    if not signed:
        raise EvalkitError(
            f"{folder} holds no run, no {MANIFEST}, no {BOARD} and no {ATTESTATION}; expected a folder that an evalkit verb left"
        )
    return "files"


def listed(folder: Path, kind: Kind) -> Listed:
    """What the folder's record or manifest states; nothing where neither can be read."""
    try:
        if kind == "run":
            record = parse_json(read_plain(folder / RECORD, links=False), RECORD)
            files = {str(name): str(digest) for name, digest in record["files"].items()}
            whole = "digest" in record
            changed = whole and with_digest(record) != record
            return Listed(files, whole, Failure(RECORD, "it has changed since the run was sealed") if changed else None)
        if kind == "manifest":
            rows = manifest_rows(folder)
            return Listed({path: str(row["sha256"]) for row in rows if (path := path_in(row)) is not None}, False)
    except (OSError, *DAMAGED):
        pass  # level 0 says what is wrong
    return Listed({}, False)


def manifest_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of manifest.jsonl, and those of attacks that an earlier command left beside them.

    Raises ValueError, KeyError or TypeError where they do not name images.
    """
    rows = _lines(folder / MANIFEST)
    known = {path_in(row) for row in rows}
    for file in sorted(folder.glob("*/.rows.jsonl")):
        mine = {str(line["row"]["id"]): line["row"] for line in _lines(file)}  # the last row of an image counts
        paths = {id: f"{file.parent.name}/{path}" for id, row in mine.items() if (path := path_in(row)) is not None}
        rows += [{**mine[id], "path": path} for id, path in paths.items() if path not in known]
    for row in rows:
        if not isinstance(row["id"], str) or (path_in(row) is not None and not isinstance(row["sha256"], str)):
            raise TypeError("a row names its image by texts")
    return rows


def _lines(path: Path) -> list[dict[str, Any]]:
    text = read_plain(path, links=False).decode("utf-8", "surrogatepass")  # names of files in older manifests
    return [parse_json(line, path.name, surrogates=True) for line in text.split("\n") if line]


def manifest_failures(folder: Path) -> list[Failure]:
    """Level 0 of a folder with a manifest."""
    try:
        manifest_rows(folder)
    except (OSError, *DAMAGED) as error:
        return [Failure(MANIFEST, f"its lines are not rows of images ({type(error).__name__})")]
    return []


def board_runs(folder: Path) -> tuple[list[Path], list[str]]:
    """The runs that a leaderboard was made of, where they still lie as it says, and the names of those that do not.

    Raises ValueError, KeyError or TypeError where leaderboard.json is none.
    """
    found: list[Path] = []
    lost: list[str] = []
    for parent in parse_json(read_plain(folder / BOARD, links=False), BOARD)["parents"]:
        path = folder / str(parent["path"])
        if digest(path / RECORD) == parent["record"]:
            found.append(path)
        else:
            lost.append(str(parent["name"]))
    return found, lost


def board_failures(folder: Path) -> list[Failure]:
    """Level 0 of a leaderboard."""
    try:
        data = read_plain(folder / BOARD, links=False)
        said = parse_json(data, BOARD)
        board_runs(folder)
        whole = isinstance(said["boards"], list) and isinstance(said["leaderboard"], int)
        if whole and pretty_json(said) == data:
            return []
    except (OSError, *DAMAGED):
        pass
    return [Failure(BOARD, "it is not written as evalkit writes leaderboards, so it has been changed")]


def path_in(row: Mapping[str, Any]) -> str | None:
    """The image's file below the folder, None where the row is of a failure."""
    path = row.get("path", row.get("file"))
    if path is not None and not isinstance(path, str):
        raise TypeError("a path is a text")
    return path


def opened(folder: Path, kind: Kind) -> Run | None:
    """The folder as a run for its task's own checks, None where it has no task."""
    if kind == "run":
        return read_run(folder)
    if kind == "board":
        return Run(folder, {"task": "leaderboard", "plan": {}, "files": {}}, [], pa.table({}), [])
    return None
