"""Attacks on a folder of images: one sub-folder an attack, a row per image, resumable after any end, flat in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.sample import ImageSet, Sample, Unreadable
from evalkit.jobs.job import Progress
from evalkit.jobs.options import check_apart
from evalkit.jsonio import canonical_json, pretty_json
from evalkit.runs.store import write_bytes
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.rows import RowFile, attacked_rows, failed_row

BATCH = 16  # images in memory at a time for attacks without a network


@dataclass(frozen=True)
class AttackRun:
    """What a run left: its folder, the attacks, and every row (`id`, `attack`, `path` or `error`, `changed`, `psnr`, …)."""

    path: Path
    attacks: tuple[Attack, ...]
    rows: list[dict[str, Any]] = field(repr=False)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Rows of images that could not be read or attacked."""
        return [row for row in self.rows if row["error"] is not None]


def attack_folder(
    data: str | Path,
    attacks: Sequence[Attack],
    out: str | Path,
    *,
    seed: int = 0,
    limit: int | None = None,
    batch: int = 8,
    threads: int = 2,
    progress: Progress | None = None,
) -> AttackRun:
    """Write every image of `data` under every attack into `out/<attack>/`, and `out/manifest.jsonl`.

    An image's seed depends on `seed` and its id alone. Typed again, only what is missing or changed is done. Raises
    `EvalkitError` where `out` lies within the data, or an attack's folder holds another one.
    """
    images, target, told = open_images(data), Path(out), progress or Progress()
    check_apart(data, target)
    names = file_stems(images.ids()[: limit or None])
    work: dict[str, _Work] = {}
    told.start(f"{len(attacks)} attacks", len(names) * len(attacks))
    try:
        for part in _passes(attacks):
            here = [_Work.begin(attack, target, seed) for attack in part]
            _one_pass(images, names, here, seed, batch if part[0].network else BATCH, threads, told)
            work |= {each.attack.name: each for each in here}
            for attack in part:
                attack.release()
    finally:
        told.finish()
    return AttackRun(target, tuple(attacks), _manifest(names, [work[attack.name] for attack in attacks], target))


@dataclass(frozen=True)
class _Work:
    attack: Attack
    folder: Path
    rows: RowFile

    @classmethod
    def begin(cls, attack: Attack, out: Path, seed: int) -> _Work:
        """The attack's folder, with attack.json; raises where it holds another attack, seed or version of a library."""
        folder = out / attack.folder
        record = {**attack.record(), "seed": seed}
        file = folder / "attack.json"
        if file.exists():
            before = json.loads(file.read_bytes())
            if canonical_json(before) != canonical_json(json.loads(pretty_json(record))):
                different = [key for key in record if before.get(key) != record[key]]
                raise EvalkitError(
                    f"{folder} was made with another {', '.join(different) or 'attack'}; give a fresh --out, or remove it"
                )
        else:
            write_bytes(file, pretty_json(record))
        return cls(attack, folder, RowFile(folder))


def _passes(attacks: Sequence[Attack]) -> list[list[Attack]]:
    """All attacks without a network go over the images together, each with one alone: one model in memory at a time."""
    light = [attack for attack in attacks if not attack.network]
    return [*([light] if light else []), *([attack] for attack in attacks if attack.network)]


def _one_pass(
    images: ImageSet,
    names: Mapping[str, str],
    work: Sequence[_Work],
    seed: int,
    batch: int,
    threads: int,
    told: Progress,
) -> None:
    ids = list(names)
    states = [images.fingerprint(index) for index in range(len(ids))]
    todo = [[i for i, id in enumerate(ids) if not each.rows.has(id, states[i])] for each in work]
    done = len(ids) * len(work) - sum(map(len, todo))
    told.advance(done, resumed=True)
    needed = sorted({index for each in todo for index in each})
    wanted = [set(each) for each in todo]
    with ThreadPoolExecutor(threads) as pool:
        for chunk in _chunks(needed, batch):
            read = dict(zip(chunk, _read(images, chunk, threads), strict=True))
            jobs = [(each, [i for i in chunk if i in mine]) for each, mine in zip(work, wanted, strict=True)]
            made = [pool.submit(_attack, each, [read[i] for i in mine], names, seed) for each, mine in jobs]
            for (each, mine), rows in zip(jobs, made, strict=True):
                for index, row in zip(mine, rows.result(), strict=True):
                    each.rows.add(row, states[index])
                told.advance(len(mine))
    for each in work:
        each.rows.close()


def _attack(
    work: _Work, samples: Sequence[Sample | Unreadable], names: Mapping[str, str], seed: int
) -> list[dict[str, Any]]:
    """Rows of some images in their order; what cannot be read or attacked has an `error`."""
    readable = [each for each in samples if isinstance(each, Sample)]
    done = attacked_rows(work.attack, work.folder, readable, names, seed)
    return [
        failed_row(work.attack, each.id, each.reason, each.sha256) if isinstance(each, Unreadable) else done[each.id]
        for each in samples
    ]


def _chunks(indices: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(indices), size):
        yield list(indices[start : start + size])


def _read(images: ImageSet, indices: Sequence[int], threads: int) -> Iterator[Sample | Unreadable]:
    """The images of ascending indices; neighbours are read together."""
    start = 0
    for stop in range(1, len(indices) + 1):
        if stop == len(indices) or indices[stop] != indices[stop - 1] + 1:
            yield from images.read(indices[start], indices[stop - 1] + 1, threads=threads)
            start = stop


def _manifest(names: Mapping[str, str], work: Sequence[_Work], out: Path) -> list[dict[str, Any]]:
    """All rows, by attack and image, with paths below `out`; they are written too."""
    shown = [
        {**row, "path": None if row["path"] is None else f"{each.attack.folder}/{row['path']}"}
        for each in work
        for row in each.rows.in_order(list(names))
    ]
    write_bytes(out / "manifest.jsonl", b"".join(canonical_json(row) + b"\n" for row in shown))
    return shown


def file_stems(ids: Sequence[str]) -> dict[str, str]:
    """A relative path without suffix for every id: its own stem, or its whole name where several share a stem.

    >>> file_stems(["a/b.png", "c.jpg", "c.png"])
    {'a/b.png': 'a/b', 'c.jpg': 'c.jpg', 'c.png': 'c.png'}
    """
    stems = [_stem(id) for id in ids]
    seen: dict[str, int] = {}
    for stem in stems:
        seen[stem.lower()] = seen.get(stem.lower(), 0) + 1
    names: dict[str, str] = {}
    taken: set[str] = set()
    for id, stem in zip(ids, stems, strict=True):
        name = stem if seen[stem.lower()] == 1 else _safe(id)
        if name.lower() in taken:  # what made the ids differ cannot stand in a file name
            name += f"-{hashlib.sha256(id.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
        names[id] = name
        taken.add(name.lower())
    return names


def _stem(id: str) -> str:
    safe = _safe(id)
    suffix = PurePosixPath(safe).suffix
    return safe[: -len(suffix)] if suffix and not suffix[1:].isdigit() else safe


def _safe(id: str) -> str:
    parts = [part for part in id.replace("\\", "_").replace(":", "_").split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "_"
