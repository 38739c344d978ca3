"""Which runs a reader means: run folders, or folders that hold runs."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import EvalkitError

DEPTH = 3  # folders below a given one in which runs are looked for


@dataclass(frozen=True)
class Found:
    """Sealed runs in the order given (those of one folder by name), and folders of unfinished ones."""

    sealed: tuple[Path, ...]
    unfinished: tuple[Path, ...]


def as_paths(runs: str | Path | Iterable[str | Path]) -> list[Path]:
    """One path or several; a text is one path, not its letters.

    >>> [each.as_posix() for each in as_paths("runs")]
    ['runs']
    """
    return [Path(each) for each in ([runs] if isinstance(runs, (str, Path)) else runs)]


def find_runs(paths: str | Path | Iterable[str | Path]) -> Found:
    """The runs in `paths`, each a run, a folder with runs at most three folders below, or a pattern (`runs/*-jpeg-*`).

    Of what a pattern matches, files and folders without a run are passed over. Raises `EvalkitError` where a path is not
    there, matches nothing or holds no finished run.
    """
    sealed: dict[Path, Path] = {}  # the same run may be given twice, or by two names
    unfinished: dict[Path, Path] = {}
    for path, named in ((each, each == given) for given in as_paths(paths) for each in _matched(given)):
        if not path.is_dir():
            state = "is a file" if path.exists() else "is not there"
            raise EvalkitError(f"{path} {state}; give a run folder (with record.json), or a folder of runs")
        here = _below(path, DEPTH)
        good = [run for run in here if (run / "record.json").is_file()]
        bad = [run for run in here if run not in good]
        if not good and named:
            also = f", but {bad[0]} is unfinished: type its command again to resume it" if bad else ""
            raise EvalkitError(
                f"{path} holds no finished run{also}; expected record.json, as `evalkit tokenizer` leaves it"
            )
        for run in good:
            sealed.setdefault(run.resolve(), run)
        for run in bad:
            unfinished.setdefault(run.resolve(), run)
    if not sealed:
        raise EvalkitError("no run was given; give a run folder (with record.json), or a folder of runs")
    return Found(tuple(sealed.values()), tuple(unfinished.values()))


def _matched(path: Path) -> list[Path]:
    """The path itself where it exists or is no pattern, else the folders that it matches and that hold a run."""
    if os.path.lexists(path) or not glob.has_magic(str(path)):
        return [path]
    folders = [Path(each) for each in sorted(glob.glob(str(path))) if Path(each).is_dir()]
    if not (found := [each for each in folders if _below(each, DEPTH)]):
        raise EvalkitError(f"{path} matches no folder with a run; give a run folder, or a folder of runs")
    return found


def default_folder(given: Iterable[str | Path], runs: Iterable[Path]) -> Path:
    """Where the view of `runs` goes unless said otherwise: `view-<name>-<hash>` beside them, never inside one.

    The hash is of the runs' places: the same command replaces its own view, another one has another.
    """
    places = [run.resolve() for run in runs]
    first = Path(next(iter(given))).resolve()
    digest = hashlib.sha256("\0".join(map(str, sorted(places))).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    home = first.parent if first in places else first
    name = places[0].name if len(places) == 1 else f"{len(places)}-runs"
    return home / f"view-{name}-{digest}"


def _below(folder: Path, depth: int) -> list[Path]:
    if (folder / "record.json").is_file() or (folder / "plan.json").is_file():
        return [folder]
    if depth == 0:
        return []
    inner = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    return [run for each in inner for run in _below(each, depth - 1)]
