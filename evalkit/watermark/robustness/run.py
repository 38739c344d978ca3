"""`watermark_robustness`: images are marked, attacked and tested, marked and unmarked alike; resumable attack by attack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.geometry import fit_square
from evalkit.images.sample import Pixels, Unreadable
from evalkit.jobs.job import Progress
from evalkit.jsonio import canonical_json, parse_json, pretty_json
from evalkit.runs.store import write_bytes
from evalkit.version import __version__
from evalkit.watermark.attacks.base import Attack, seed_of
from evalkit.watermark.identity import PREPARE
from evalkit.watermark.robustness.contenders import Contender
from evalkit.watermark.robustness.quality import Quality
from evalkit.watermark.robustness.summary import LEVELS, QUALITY, csv_text, summarised

BATCH = 16  # images that are attacked together
PLAIN = "unmarked"
NOTHING = "none"  # the images as they are, always the first row


@dataclass(frozen=True)
class RobustnessRun:
    """What a run left: its folder, a row for each contender and attack, what marking cost, and who could not take part."""

    path: Path
    rows: list[dict[str, Any]]
    embedding: list[dict[str, Any]]
    absent: dict[str, str] = field(default_factory=dict)  # contender: reason
    failed: dict[str, str] = field(default_factory=dict)  # image or attack: reason


def watermark_robustness(
    data: str | Path,
    contenders: Sequence[Contender],
    attacks: Sequence[Attack],
    out: str | Path,
    *,
    side: int,
    marked: str | Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    levels: Sequence[float] = LEVELS,
    absent: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> RobustnessRun:
    """Mark the images of `data` with every contender, attack marked and unmarked ones alike, and test all of them.

    All work on the same squares of `side` pixels, through PNG files below `out`. `marked`: images that carry the first
    contender's mark already (made so by a generator), instead of marking `data` with it. An attack that is done is not
    done again. Leaves robustness.csv, robustness.json, report.html. Raises `EvalkitError` where `out` holds another run.
    """
    target, told = Path(out), progress or Progress()
    source = Path(str(data)).expanduser()
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise EvalkitError(f"--out {target} lies within the data {source}, which would grow; give another folder")
    names = [each.name for each in contenders]
    if len(set(names)) < len(names):
        raise EvalkitError(f"two contenders have one name: {', '.join(names)}")
    failed: dict[str, str] = {}
    _begin(target, _plan(data, contenders, side, marked, limit, seed))
    plain = _squares(data, target / "pictures" / PLAIN, side, limit, failed)
    if not plain:
        raise EvalkitError(f"{data} holds no readable image")
    gone = dict(absent or {})
    sets: dict[str, dict[str, Path]] = {}
    for number, each in enumerate(contenders):
        folder = target / "pictures" / _safe(each.name)
        try:
            if marked is not None and number == 0:
                sets[each.name] = _squares(marked, folder, side, limit, failed)
            else:
                sets[each.name] = _marked(each, plain, folder)
        except EvalkitError as error:
            gone[each.name] = str(error)
    taking = [each for each in contenders if each.name in sets]
    quality = Quality()
    told.start(f"{len(attacks) + 1} attacks", (len(attacks) + 1) * len(plain))
    done: dict[str, Any] = {}
    try:
        for attack in (None, *attacks):
            name = NOTHING if attack is None else attack.name
            file = target / "scores" / f"{NOTHING if attack is None else attack.folder}.json"
            try:
                done[name] = _scored(attack, file, plain, sets, taking, quality, seed, told)
            except (EvalkitError, RuntimeError, ValueError, OSError) as error:
                failed[name] = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            finally:
                if attack is not None:
                    attack.release()
    finally:
        told.finish()
    rows = [row for name, scores in done.items() for row in summarised(name, scores, taking, levels)]
    embedding = _embedding(plain, sets, taking, quality, marked is not None)
    return _finish(RobustnessRun(target, rows, embedding, gone, failed), contenders, quality.reason)


def _plan(
    data: str | Path,
    contenders: Sequence[Contender],
    side: int,
    marked: str | Path | None,
    limit: int | None,
    seed: int,
) -> dict[str, Any]:
    """What decides the scores; attacks may be added later."""
    states = []
    for each in (data, *([marked] if marked is not None else [])):
        images = open_images(each)
        ids = images.ids()[: limit or None]
        states.append([list(each) for each in zip(ids, images.fingerprints(len(ids)), strict=True)])
    return {
        "evalkit": __version__, "data": states, "contenders": [each.record() for each in contenders],
        "side": side, "seed": seed, "prepare": PREPARE,
    }  # fmt: skip


def _begin(target: Path, plan: Mapping[str, Any]) -> None:
    file = target / "plan.json"
    if file.exists():
        before = parse_json(file.read_bytes(), str(file))
        other = [key for key in plan if canonical_json(before.get(key)) != canonical_json(plan[key])]
        if other:
            raise EvalkitError(
                f"{target} holds a run with another {', '.join(other)}; give a fresh --out, or remove it"
            )
    else:
        write_bytes(file, pretty_json(dict(plan)))


def _squares(data: str | Path, folder: Path, side: int, limit: int | None, failed: dict[str, str]) -> dict[str, Path]:
    """PNG files of the images' centre squares, by id."""
    images = open_images(data)
    count = min(limit or len(images), len(images))
    found: dict[str, Path] = {}
    for start in range(0, count, BATCH):
        for number, each in enumerate(images.read(start, min(start + BATCH, count), threads=2), start=start):
            if isinstance(each, Unreadable):
                failed[each.id] = each.reason
                continue
            found[each.id] = folder / f"{number:05d}.png"
            if not found[each.id].exists():
                square = each.image if each.image.shape[:2] == (side, side) else fit_square(each.image, side, PREPARE)
                write_bytes(found[each.id], png_bytes(square))
    return found


def _marked(contender: Contender, plain: Mapping[str, Path], folder: Path) -> dict[str, Path]:
    files = {id: folder / file.name for id, file in plain.items()}
    todo = [id for id, file in files.items() if not file.exists()]
    for part in _parts(todo):
        for id, pixels in zip(part, contender.mark([_pixels(plain[id]) for id in part], part), strict=True):
            write_bytes(files[id], png_bytes(pixels))
    return files


def _scored(
    attack: Attack | None,
    file: Path,
    plain: Mapping[str, Path],
    sets: Mapping[str, Mapping[str, Path]],
    contenders: Sequence[Contender],
    quality: Quality,
    seed: int,
    told: Progress,
) -> dict[str, Any]:
    """{contender: {"marked": [row], "unmarked": [row]}} of one attack, from its file where that is whole."""
    if file.exists():
        told.advance(len(plain), resumed=True)
        found: dict[str, Any] = parse_json(file.read_bytes(), str(file))
        return found
    scores: dict[str, Any] = {each.name: {"marked": [], PLAIN: []} for each in contenders}
    for part in _parts(list(plain)):
        ruined = _attacked(attack, [_pixels(plain[id]) for id in part], part, seed)
        for each in contenders:
            scores[each.name][PLAIN] += _rows(part, each.log_p(ruined))
        told.advance(len(part))
    for each in contenders:
        for part in _parts(list(sets[each.name])):
            before = [_pixels(sets[each.name][id]) for id in part]
            after = _attacked(attack, before, part, seed)
            measured = quality.measure(before, after)
            rows = _rows(part, each.log_p(after))
            scores[each.name]["marked"] += [{**row, **cost} for row, cost in zip(rows, measured, strict=True)]
    write_bytes(file, canonical_json(scores))
    return scores


def _rows(ids: Sequence[str], log_p: Any) -> list[dict[str, Any]]:
    return [{"id": id, "log_p": float(value)} for id, value in zip(ids, log_p, strict=True)]


def _attacked(attack: Attack | None, images: Sequence[Pixels], ids: Sequence[str], seed: int) -> list[Pixels]:
    """Images as they come out of the attack's files."""
    if attack is None:
        return list(images)
    return [decode_image(each.data) for each in attack.files(images, [seed_of(seed, id) for id in ids])]


def _embedding(
    plain: Mapping[str, Path],
    sets: Mapping[str, Mapping[str, Path]],
    contenders: Sequence[Contender],
    quality: Quality,
    given: bool,
) -> list[dict[str, Any]]:
    """Means of what marking itself cost; nothing for images that a generator marked."""
    rows = []
    for number, each in enumerate(contenders):
        if given and number == 0:
            continue
        costs = []
        for part in _parts(list(plain)):
            costs += quality.measure([_pixels(plain[id]) for id in part], [_pixels(sets[each.name][id]) for id in part])
        row: dict[str, Any] = {"contender": each.name, "pictures": len(costs)}
        for metric in QUALITY:
            values = [value for cost in costs if (value := cost[metric]) is not None]
            row[metric] = sum(values) / len(values) if values else None
        rows.append(row)
    return rows


def _finish(run: RobustnessRun, contenders: Sequence[Contender], lpips: str | None) -> RobustnessRun:
    from evalkit.watermark.robustness.page import write_page

    said = {
        "rows": run.rows, "embedding": run.embedding, "absent": run.absent, "failed": run.failed,
        "nulls": {each.name: each.null for each in contenders}, "lpips_unavailable": lpips,
    }  # fmt: skip
    write_bytes(run.path / "robustness.json", pretty_json(said))
    write_bytes(run.path / "robustness.csv", csv_text(run.rows).encode())
    write_page(run, said)
    return run


def _pixels(path: Path) -> Pixels:
    return decode_image(path.read_bytes())


def _parts(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), BATCH):
        yield list(ids[start : start + BATCH])


def _safe(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name).strip(".") or "contender"
