"""Which images a probe looks at: those of a generation, or of a folder in GenEval's layout, each with its prompt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.decode import size_of
from evalkit.images.loader import read_ahead, sample_from_bytes
from evalkit.images.sample import Admit, Load, Pixels, Sample, Unreadable
from evalkit.jsonio import parse_json
from evalkit.prompts.rewrite import ORIGINAL
from evalkit.runs.plain import plain_sha256, read_plain
from evalkit.runs.store import PLAN, RECORD, Run, read_run
from evalkit.tasks.probe.coverage import Coverage, coverage
from evalkit.tasks.probe.layout import PlacedImage
from evalkit.tasks.probe.suite import Suite, SuitePrompt
from evalkit.weights.object_stores import local

NEEDED = ("id", "prompt_id", "sample", "prompt", "meta", "file", "sha256", "height", "width", "error")
Place = tuple[str, int]  # prompt id, sample


@dataclass(frozen=True)
class Placed:
    """An image: its `name` in its source, its file, the prompt it was made for and its number among the prompt's images.

    `part`: (images of a side, which of them in rows) where the file is a grid of several.
    """

    name: str
    path: Path
    prompt: str
    sample: int
    sha256: str
    part: tuple[int, int] | None = None

    @property
    def id(self) -> str:
        """The id of its row, the same for the same prompt and sample of any generator."""
        return place_id(self.prompt, self.sample)


@dataclass(frozen=True)
class Listing:
    """The images of a source in the suite's order. `run`: the generation that made them, where it did."""

    name: str
    images: tuple[Placed, ...]
    coverage: Coverage
    run: Run | None = None

    @property
    def digest(self) -> str:
        """sha256 over the content of all images with their places."""
        rows = "".join(f"{each.id}\0{each.sha256}\n" for each in self.images)
        return hashlib.sha256(rows.encode("utf-8", "surrogatepass")).hexdigest()

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """The images `start` to `stop` (exclusive) in order, decoded ahead."""
        loads: Iterator[Load] = (partial(self._load, index) for index in range(start, stop))
        return read_ahead(loads, threads)

    def _load(self, index: int, admit: Admit) -> Sample | Unreadable:
        placed = self.images[index]
        found = sample_from_bytes(placed.name, partial(read_plain, placed.path), admit=admit)
        if placed.part is None or not isinstance(found, Sample):
            return found
        return replace(found, image=_part_of(found.image, *placed.part))


def place_id(prompt: str, sample: int) -> str:
    """The id of an image by its prompt and number, as generations write it.

    >>> place_id("00007", 3)
    '00007-03'
    """
    return f"{prompt}-{sample:02d}"


def wanted_places(suite: Suite, samples: int, limit: int | None) -> list[Place]:
    """The (prompt, sample) that a probe expects, in order."""
    return [(prompt.id, number) for prompt in suite.prompts() for number in range(samples)][:limit]


def covered(places: Sequence[tuple[str, str, int]], suite: Suite, samples: int, limit: int | None) -> Coverage:
    """The coverage of (image, prompt, sample) over the first `limit` places. Raises `EvalkitError` as `coverage` does."""
    whole = coverage([prompt.id for prompt in suite.prompts()], samples, places)
    wanted, lost = wanted_places(suite, samples, limit), set(whole.missing)
    missing = tuple(place for place in wanted if place in lost)
    if len(missing) == len(wanted):
        raise EvalkitError(
            f"there is no image of the {len(wanted)} that the probe {suite.name} expects. Give its images"
        )
    return Coverage(len(wanted), len(wanted) - len(missing), missing)


def list_images(source: str | Path, suite: Suite, samples: int | None = None, limit: int | None = None) -> Listing:
    """The images in `source`, a generation or a folder in the suite's own layout; `samples` of each prompt.

    Of an address in an object store a copy is made first.

    Raises `EvalkitError` in one sentence for other layouts, prompts that are not the suite's, and images of mixed sizes.
    """
    path = local(source)
    run = read_run(path) if (path / RECORD).is_file() or (path / PLAN).is_file() else None
    found = _of_folder(path, suite) if run is None else _of_run(run, suite)
    kept = [each for each in found if samples is None or each[2] < samples]
    counted = covered([each[:3] for each in kept], suite, samples or suite.samples, limit)
    if suite.one_size:
        _check_sizes(kept)
    at = {(each[1], each[2]): each for each in kept}
    images = tuple(
        Placed(name, file, prompt, number, sha256 or plain_sha256(file), part)
        for place in wanted_places(suite, samples or suite.samples, limit)
        if place in at
        for name, prompt, number, file, sha256, _, part in [at[place]]
    )
    return Listing(path.resolve().name, images, counted, run)


_Part = tuple[int, int] | None
_Found = tuple[
    str, str, int, Path, str | None, tuple[int, int], _Part
]  # name, prompt, sample, file, sha256, size, part


def _of_run(run: Run, suite: Suite) -> list[_Found]:
    if any(name not in run.samples.column_names for name in NEEDED):
        raise EvalkitError(
            f"{run.path} is a run of {run.record['task']}, which made no images. Give one of evalkit generate"
        )
    known = {prompt.id: prompt for prompt in suite.prompts()}
    rows = [row for row in run.samples.select(NEEDED).to_pylist() if row["error"] is None]
    for row in rows:
        if not _is_made_for(row, known.get(row["prompt_id"])):
            raise EvalkitError(
                f"{row['id']} of {run.path.name} was made for {str(row['prompt'])[:80]!r}, which is not prompt "
                f"{row['prompt_id']} of {suite.name}. Give images of this suite"
            )
    return [
        (r["file"], r["prompt_id"], r["sample"], run.path / r["file"], r["sha256"], (r["height"], r["width"]), None)
        for r in rows
    ]


def _is_made_for(row: dict[str, Any], prompt: SuitePrompt | None) -> bool:
    said = {**parse_json(row["meta"] or "{}", "the meta of a row", surrogates=True), "prompt": row["prompt"]}
    if ORIGINAL in said:  # the prompt was rewritten, which the protocol says
        said["prompt"] = said.pop(ORIGINAL)
    return prompt is not None and said == dict(prompt.metadata)


def _of_folder(folder: Path, suite: Suite) -> list[_Found]:
    return [
        (_name(folder, each), each.prompt, each.sample, each.path, None, _size(each.path), each.part)
        for each in suite.layout(folder)
    ]


def _name(folder: Path, placed: PlacedImage) -> str:
    """The path below the folder; of a part of a grid with its number."""
    name = placed.path.relative_to(folder).as_posix()
    return name if placed.part is None else f"{name}#{placed.part[1]}"


def _part_of(image: Pixels, side: int, number: int) -> Pixels:
    """One image of a grid of side x side, counted in rows."""
    height, width = image.shape[0] // side, image.shape[1] // side
    row, column = divmod(number, side)
    return np.ascontiguousarray(image[row * height : (row + 1) * height, column * width : (column + 1) * width])


def _size(path: Path) -> tuple[int, int]:
    try:
        return size_of(read_plain(path)) or (0, 0)
    except OSError:
        return 0, 0  # the worker says why it cannot be read


def _check_sizes(found: Sequence[_Found]) -> None:
    first: dict[tuple[int, int], str] = {}
    for name, *_, size, _part in found:
        if min(size) > 0:
            first.setdefault(size, name)
    if len(first) > 1:
        (a, one), (b, two) = list(first.items())[:2]
        raise EvalkitError(
            f"{one} has {a[1]} x {a[0]} pixels and {two} has {b[1]} x {b[0]}, so they are not of one model. "
            "Give images of one size"
        )
