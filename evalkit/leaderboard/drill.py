"""What the page loads when a reader asks: of each run its facts, its worst and best samples with their images; of each
board the errors of all differences. Scripts, since a page that was opened from disk may read no JSON."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtri
from scipy.stats import t

from evalkit.jsonio import parse_json
from evalkit.leaderboard.boards import Board
from evalkit.leaderboard.document import number
from evalkit.leaderboard.entrants import ATTESTATION, Collected, Entrant, Figure, part
from evalkit.leaderboard.rank import LEVEL
from evalkit.leaderboard.scores import Scores
from evalkit.pages.view.images import COLUMNS, Images, address, sample_images
from evalkit.runs.store import Run, write_bytes
from evalkit.runs.tables import table_of
from evalkit.stats.units import Array
from evalkit.text import day_text, visible

WORST, BEST = 12, 6
LINKS = {"record.json": "record", "results.json": "results", "report.html": "report", ATTESTATION: "attestation"}


def write_drill(folder: Path, boards: Sequence[Board], collected: Collected, *, copy: bool) -> None:
    """Write data/run-*.js and data/pairs-*.js for the page in `folder`; with `copy` the images too, in images/."""
    on: dict[int, list[tuple[Board, Figure]]] = {entrant.number: [] for entrant in collected.entrants}
    for board in boards:
        for each in board.order.standings:
            on[each.figure.entrant].append((board, each.figure))
        write_script(
            folder / "data" / f"pairs-{board.terms.digest}.js", f'board.pairs["{board.terms.digest}"]', _pairs(board)
        )
    for entrant in collected.entrants:
        data = _run(entrant, on[entrant.number], folder, copy)
        write_script(folder / "data" / f"run-{entrant.number}.js", f"board.runs[{entrant.number}]", data)


def write_script(path: Path, target: str, value: Any) -> None:
    """`target = value`, in ASCII, so that no text can end the script."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    write_bytes(path, f"{target} = {text};\n".encode("ascii"))


def _pairs(board: Board) -> dict[str, Any]:
    """Entrants, values and the upper triangle of the errors of differences, row by row; null where one is unknown."""
    errors, df = board.order.errors, board.order.df
    m = len(errors)
    upper = errors[np.triu_indices(m, 1)]
    factor = float(t.ppf((1 + LEVEL) / 2, df)) if math.isfinite(df) else float(ndtri((1 + LEVEL) / 2))
    return {
        "entrants": list(board.entrants),
        "values": [number(each.figure.value) for each in board.order.standings],
        "errors": [None if math.isnan(x) else float(f"{x:.4g}") for x in upper.tolist()],
        "factor": factor,
        "critical": number(board.order.critical),
        "better": board.better,
        "unit": board.unit,
    }


def _run(entrant: Entrant, mine: Sequence[tuple[Board, Figure]], folder: Path, copy: bool) -> dict[str, Any]:
    record = entrant.record
    model, data = part(record, "model"), part(record, "data")
    terms = [
        ("model", model.get("title") or entrant.model),
        ("weights", f"sha256 {model['weights_sha256']}" if model.get("weights_sha256") else None),
        ("data", data.get("name")),
        ("seed", record.get("seed")),
        ("made", day_text(record)),
        ("evalkit", record.get("evalkit")),
        ("command", " ".join(map(str, record.get("command") or []))),
        ("folder", entrant.folder),
        ("record", f"sha256 {entrant.digests['record.json']}"),
    ]
    return {
        "name": entrant.name,
        "terms": [[name, str(value)] for name, value in terms if value not in (None, "")],
        "links": [
            [word, address(entrant.path / file, folder)]
            for file, word in LINKS.items()
            if (entrant.path / file).exists()
        ],
        "samples": _samples(entrant, mine, folder, copy),
    }


def _samples(
    entrant: Entrant, mine: Sequence[tuple[Board, Figure]], folder: Path, copy: bool
) -> dict[str, list[dict[str, Any]]]:
    """By board: the worst and the best samples, each with its value, its prompt and its images where there are some."""
    scored = [(board, figure) for board, figure in mine if figure.scores is not None and not board.parts]
    if not scored:
        return {}
    picked = {
        board.terms.digest: _picked(board, figure.scores) for board, figure in scored if figure.scores is not None
    }
    needed = {str(each.id) for listed in picked.values() for each in listed}
    shown = _Shown(entrant, folder, copy, sorted(needed))
    protocols = {board.terms.digest: board.terms.protocol for board, _ in scored}
    return {
        name: [
            {"end": each.end, "id": visible(each.id, 300), "value": number(each.value)}
            | shown.of(each.id, protocols[name])
            for each in listed
        ]
        for name, listed in picked.items()
    }


@dataclass(frozen=True)
class _Picked:
    """A sample at the `worst` or the `best` end of a board."""

    end: str
    id: str
    value: float


def _picked(board: Board, scores: Scores) -> list[_Picked]:
    values = scores.values if scores.own is None else scores.own
    if scores.weights is not None:  # a rate of each sample; one without length has none
        values = np.divide(values, scores.weights, out=np.full(len(values), np.nan), where=scores.weights > 0)
    there = np.flatnonzero(~np.isnan(values))
    lower = (board.better == "lower") != (scores.gradient < 0)
    goodness = -values[there] if lower else values[there]
    worst = _least(goodness, WORST)
    best = [i for i in _least(-goodness, BEST) if i not in set(worst)]
    return [
        _Picked(end, str(scores.ids[there[i]]), float(values[there[i]]))
        for end, places in (("worst", worst), ("best", best))
        for i in places
    ]


def _least(values: Array, count: int) -> list[int]:
    """Places of the smallest values, in order; equal values by place."""
    if len(values) > count:
        limit = np.partition(values, count - 1)[count - 1]
        below = np.flatnonzero(values < limit)
        among = np.concatenate([below, np.flatnonzero(values == limit)[: count - len(below)]])
    else:
        among = np.arange(len(values))
    return [int(i) for i in among[np.lexsort((among, values[among]))]]


class _Shown:
    """Prompt and images of single samples of one run."""

    def __init__(self, entrant: Entrant, folder: Path, copy: bool, needed: Sequence[str]) -> None:
        self.entrant, self.folder, self.copy = entrant, folder, copy
        samples = table_of(entrant.path / "samples.parquet", ("id", "protocol", "prompt", *COLUMNS))
        names = samples.column_names
        samples = samples.filter(pc.is_in(samples["id"], pa.array(needed, samples["id"].type)))
        index = entrant.path / "images" / "index.json"
        images = _listed(index) if index.is_file() else []
        kinds = sample_images(Run(entrant.path, entrant.record, [], samples, images))
        self.kinds: list[Images] = kinds
        ids = [str(value) for value in samples["id"].to_pylist()]
        protocols = samples["protocol"].to_pylist() if "protocol" in names else [""] * len(ids)
        self.prompts = samples["prompt"].to_pylist() if "prompt" in names else None
        self.folders: dict[Path, str] = {}
        self.places: dict[tuple[str, str], int] = {}
        for place, key in enumerate(zip(ids, map(str, protocols), strict=True)):
            self.places.setdefault(key, place)
            self.places.setdefault((key[0], ""), place)

    def of(self, name: str, protocol: str) -> dict[str, Any]:
        place = self.places.get((name, protocol), self.places.get((name, "")))
        if place is None:
            return {}
        found: dict[str, Any] = {}
        if self.prompts is not None and self.prompts[place]:
            found["prompt"] = visible(self.prompts[place], 400)
        files = {each.kind: each.files[place] for each in self.kinds}
        there = {kind: self._address(file, kind) for kind, file in files.items() if file is not None}
        return found | ({"pictures": there} if there else {})

    def _address(self, file: Path, kind: str) -> str:
        if not self.copy:
            if file.parent not in self.folders:
                self.folders[file.parent] = address(file.parent, self.folder)
            return f"{self.folders[file.parent]}/{quote(os.fsencode(file.name))}"
        target = self.folder / "pictures" / str(self.entrant.number) / file.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        return address(target, self.folder)


def _listed(index: Path) -> list[dict[str, Any]]:
    try:
        found = parse_json(index.read_bytes(), index.name)
    except (ValueError, RecursionError):
        return []
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []  # type: ignore[misc]
