"""Which images of a folder carry which layer of marking, and which layers survive common edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.folder import FolderSet
from evalkit.images.loader import batched
from evalkit.images.sample import Pixels, Sample, Unreadable
from evalkit.jobs.progress import Progress
from evalkit.jsonio import pretty_json, read_json_lines
from evalkit.pages.html import run_page
from evalkit.runs.durable import write_bytes
from evalkit.stats.intervals import mean_interval
from evalkit.text import visible
from evalkit.version import __version__
from evalkit.watermark.attacks.base import Attack, seed_of
from evalkit.watermark.attacks.spelling import read_attacks
from evalkit.watermark.service.answers import MARKED, UNREADABLE, Answer
from evalkit.watermark.service.engine import Engine, Settings, Upload
from evalkit.watermark.service.scan import Scanned, answers_of, scan_folder

GENERATED = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia")  # IPTC's types of what a model made
HOLDS = ("valid", "trusted")
LAYERS = ("both", "metadata only", "watermark only", "neither", UNREADABLE)
COPY = "copy"  # the file's own bytes
EDITS = (
    *("png", "jpeg:90", "jpeg:75", "jpeg:50", "resize:0.75+back", "resize:0.5+back", "crop:0.9", "crop:0.75"),
    *("flip", "rotate:5", "brightness:1.2", "contrast:1.2", "noise:0.02", "blur:1", "overlay:logo"),
)
TOGETHER = 16


@dataclass(frozen=True)
class Audit:
    """`counts`: images by layers; `keys`: by entry of the ring; `states`: by state of their manifests.

    `survival`: a row for each edit.
    """

    path: Path
    scanned: Scanned
    counts: Mapping[str, int]
    keys: Mapping[str, int]
    states: Mapping[str, int]
    survival: Sequence[Mapping[str, Any]]


def audit_layers(
    data: str | Path,
    ring: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    *,
    edits: Sequence[str] = EDITS,
    images: int = 32,
    seed: int = 0,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Say of every image of a folder whether it carries signed metadata and a watermark; edit up to `images` that do.

    `edits`: spellings of attacks; the file's own copy is always there. Leaves in `out` scan.jsonl (resumable), audit.json
    and audit.html, which also say how many images carry the mark of which key. Raises `EvalkitError` as `scan_folder`
    does, and where an edit is unknown or C2PA is not installed.
    """
    settings = settings or Settings()
    attacks = read_attacks(edits)
    home = Path(out)
    scanned = scan_folder(data, ring, home / "scan.jsonl", settings, limit=limit, progress=progress)
    lines = [line for _, line in read_json_lines(home / "scan.jsonl")]
    layers = [layers_of(line) for line in lines]
    picked = _picked([number for number, each in enumerate(layers) if each in LAYERS[:3]], images)
    survival = _survival(data, picked, ring, settings, attacks, seed)
    counts = {name: layers.count(name) for name in LAYERS}
    states = dict(sorted(Counter(str(line["c2pa"]["state"]) for line in lines).items()))
    done = Audit(home, scanned, counts, _by_key(lines), states, survival)
    _write(done, Path(data).name, seed)
    return done


def _by_key(lines: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Images that carry the mark of each entry of the ring that was looked for, in the ring's order."""
    marks = [mark for line in lines for mark in line["marks"]]
    found = Counter(mark["entry"] for mark in marks if mark["verdict"] == MARKED)
    return {entry: found[entry] for entry in dict.fromkeys(mark["entry"] for mark in marks)}


def layers_of(answer: Mapping[str, Any]) -> str:
    """One of `LAYERS`, by an answer in the interchange form.

    >>> layers_of({"verdict": "marked", "c2pa": {"state": "absent", "source_types": []}})
    'watermark only'
    """
    if answer["verdict"] == UNREADABLE:
        return UNREADABLE
    return _LAYERS[has_metadata(answer["c2pa"]), answer["verdict"] == MARKED]


_LAYERS = dict(zip(((True, True), (True, False), (False, True), (False, False)), LAYERS, strict=False))


def has_metadata(c2pa: Mapping[str, Any] | None) -> bool:
    """Whether a manifest holds and says that a model made the image."""
    return c2pa is not None and c2pa["state"] in HOLDS and bool(set(GENERATED) & set(c2pa["source_types"]))


def _picked(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many, evenly spread."""
    return [numbers[k * len(numbers) // min(most, len(numbers))] for k in range(min(most, len(numbers)))]


def _survival(
    data: str | Path, picked: Sequence[int], ring: str | Path, settings: Settings, attacks: Sequence[Attack], seed: int
) -> list[dict[str, Any]]:
    images = open_images(data)
    if not picked or not isinstance(images, FolderSet):
        return []
    engine = Engine(ring, settings)
    try:
        before = [each for some in answers_of(engine, images, picked) for each in some]
        return [_row(COPY, before, before), *(_edited(engine, each, images, picked, seed, before) for each in attacks)]
    finally:
        engine.close()


def _edited(
    engine: Engine, attack: Attack, images: FolderSet, picked: Sequence[int], seed: int, before: Sequence[Answer]
) -> dict[str, Any]:
    """The row of one edit; images are decoded, edited and looked at a few at a time."""
    after: list[Answer] = []
    read = (next(images.read(at, at + 1, threads=1)) for at in picked)  # a large one is decoded alone
    try:
        for some in batched(read, TOGETHER):
            seeds = [seed_of(seed, each.id) for each in some]
            made = attack.files([_pixels(each) for each in some], seeds)
            some.clear()
            after += engine.look([Upload(each.data) for each in made])
    except EvalkitError as error:
        return {"edit": attack.name, "error": str(error), "images": 0}
    finally:
        attack.release()
    return _row(attack.name, before, after)


def _pixels(sample: Sample | Unreadable) -> Pixels:
    """Raises `EvalkitError` where the image went bad since it was scanned."""
    if isinstance(sample, Unreadable):
        raise EvalkitError(f"{sample.id}: {sample.reason}")
    return sample.image


def _row(edit: str, before: Sequence[Answer], after: Sequence[Answer]) -> dict[str, Any]:
    """Of the images that carried a layer, the share that still does."""
    pairs = list(zip(before, after, strict=True))
    marks = [b.verdict == MARKED and set(a.found) <= set(b.found) for a, b in pairs if a.verdict == MARKED]
    metadata = [has_metadata(b.c2pa) for a, b in pairs if has_metadata(a.c2pa)]
    return {"edit": edit, "error": None, "images": len(pairs), "watermark": _share(marks), "metadata": _share(metadata)}


def _share(kept: Sequence[bool]) -> dict[str, Any] | None:
    """The share with its 95 % interval; None where no image had the layer."""
    if not kept:
        return None
    found = mean_interval([float(each) for each in kept])
    return {"share": found.value, "low": found.low, "high": found.high, "of": len(kept)}


def _write(done: Audit, name: str, seed: int) -> None:
    said = {
        "evalkit": __version__,
        "data": name,
        "images": done.scanned.images,
        "layers": dict(done.counts),
        "keys": dict(done.keys),
        "c2pa": dict(done.states),
        "survival": list(done.survival),
        "seed": seed,
        "false_positives": {"rate": done.scanned.rate.alpha, "keys": done.scanned.rate.keys},
        "ring": done.scanned.ring,
    }
    write_bytes(done.path / "audit.json", pretty_json(said))
    page = run_page("evalkit.watermark.service", {"audit": said}, filters={"share": share_text, "visible": visible})
    write_bytes(done.path / "audit.html", page.encode())


def share_text(share: Mapping[str, Any] | None) -> str:
    """A share with its interval in words; a dash where no image had the layer."""
    if share is None:
        return "—"
    if share["low"] is None or share["high"] is None:
        return f"{share['share']:.2f} of {share['of']}"
    return f"{share['share']:.2f} ({share['low']:.2f}–{share['high']:.2f}) of {share['of']}"
