"""`scan_folder`: the images of a folder against a key ring, a line of the interchange form each, resumable."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.errors import BadData, EvalkitError
from evalkit.images import open_images
from evalkit.images.folder import FolderSet
from evalkit.jobs.options import check_apart
from evalkit.jobs.progress import Progress
from evalkit.jsonio import canonical_json, parse_json
from evalkit.runs.lock import taken
from evalkit.watermark.service.answers import FORMAT, UNREADABLE, Answer, Rate
from evalkit.watermark.service.engine import Engine, Settings, Upload

TOGETHER, BYTES = 64, 2**26  # images, and bytes of files, that are looked at together
MOST_BYTES = 2**28  # of a file


@dataclass(frozen=True)
class Scanned:
    """What a scan left: the file of lines, images by verdict, and how many an earlier scan had done."""

    path: Path
    counts: Mapping[str, int]
    resumed: int
    rate: Rate
    ring: str

    @property
    def images(self) -> int:
        """All images."""
        return sum(self.counts.values())


def scan_folder(
    data: str | Path,
    ring: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    *,
    details: bool = False,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Scanned:
    """Look for every mark of the key ring in the images of a folder, and write a JSON line for each to `out`.

    Lines stand in the order of names and are on the disk 64 at a time; the same call goes on behind the last whole one. With
    decoys all images are judged together, so that lines are written at the end, and what a kill left is made again.
    `details`: with p-values and counts. Raises `EvalkitError` where `data` is no folder of files, or `out` holds
    something else, or lines by another ring or rate.
    """
    images, target, progress = open_images(data), Path(out), progress or Progress()
    if not isinstance(images, FolderSet):
        raise EvalkitError(f"{images.spec} is no folder of files. Unpack it, and give the folder")
    check_apart(data, target)
    ids = list(images.ids())[:limit]
    engine = Engine(ring, settings)
    try:
        with _opened(target) as stream:
            done = _done(stream, target, _like(engine, details=details))
            _check_same(images, ids, done, target)
            if engine.settings.decoys and len(done) < len(ids):
                stream.truncate(0)
                done = []
            todo = range(len(done), len(ids))
            progress.start(f"scan {images.name}", len(ids))
            progress.advance(len(done), resumed=True)
            counts = Counter(verdict for _, _, verdict in done)
            found = (
                _together(engine, images, todo, progress)
                if engine.settings.decoys
                else answers_of(engine, images, todo)
            )
            for answers in found:
                stream.write(b"".join(canonical_json(each.as_dict(details=details)) + b"\n" for each in answers))
                os.fsync(stream.fileno())
                counts.update(each.verdict for each in answers)
                progress.advance(0 if engine.settings.decoys else len(answers))
            progress.finish()
        rate = Rate(engine.settings.alpha, len(engine.bench.valid(datetime.now(UTC))))
        return Scanned(target, dict(counts), len(done), rate, engine.bench.ring.digest)
    finally:
        engine.close()


def answers_of(engine: Engine, images: FolderSet, todo: Sequence[int]) -> Iterator[list[Answer]]:
    """Answers for the images at some positions, in order, a few at a time."""
    return map(engine.look, _uploads(images, todo))


def _together(engine: Engine, images: FolderSet, todo: Sequence[int], progress: Progress) -> Iterator[list[Answer]]:
    """Answers that rest on all of the images."""
    pooled, seen = engine.pool(together=True), []
    for uploads in _uploads(images, todo):
        seen.append(engine.see(uploads, pooled))
        progress.advance(len(uploads))
    answers = engine.answers(seen)
    yield from (answers[start : start + TOGETHER] for start in range(0, len(answers), TOGETHER))


def _uploads(images: FolderSet, todo: Sequence[int]) -> Iterator[list[Upload]]:
    """Files a few at a time."""
    waiting: list[Upload] = []
    for number in todo:
        waiting.append(_upload(images, number))
        if len(waiting) >= TOGETHER or sum(len(each.data) for each in waiting) >= BYTES:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _upload(images: FolderSet, number: int) -> Upload:
    """The file's bytes, or why they cannot be had."""
    id, path = images.ids()[number], images.file(number)
    try:
        if not path.is_file():
            return Upload(b"", id, "it is no file (a broken link?)")
        if path.stat().st_size > MOST_BYTES:
            return Upload(b"", id, f"the file has more than {MOST_BYTES:,} bytes")
        return Upload(path.read_bytes(), id)
    except OSError as error:
        return Upload(b"", id, f"the file cannot be read ({error.strerror})")


def _check_same(images: FolderSet, ids: Sequence[str], done: Sequence[tuple[str, str, str]], path: Path) -> None:
    """Raise `EvalkitError` unless the lines speak of the first images of the folder, as they are now."""
    for number, (id, sha256, verdict) in enumerate(done):
        other = number >= len(ids) or ids[number] != id
        if other or (verdict != UNREADABLE and images.sha256(number) != sha256):
            raise EvalkitError(f"{path} holds lines of other images, such as {id[:80]}. Give another --out")


def _like(engine: Engine, *, details: bool) -> dict[str, Any]:
    """What lines of one scan have in common."""
    held = engine.bench.valid(datetime.now(UTC)) if engine.settings.decoys else ()
    said = {"format": FORMAT, "ring": engine.bench.ring.digest, "rate": engine.settings.alpha, "details": details}
    return {**said, "decoys": any(each.decoys is not None for each in held)}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as stream:
        if not taken(stream.fileno()):
            raise EvalkitError(f"{path} is being written by another process. Wait for it, or give another --out")
        yield stream


def _done(stream: Any, path: Path, like: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(id, sha256, verdict) of the whole lines that an earlier scan left; what follows them is cut off."""
    stream.seek(0)
    found: list[tuple[str, str, str]] = []
    end = 0
    for line in iter(stream.readline, b""):
        if not line.endswith(b"\n"):
            break
        end += len(line)
        try:
            said = parse_json(line, str(path))
            marks, rate = said["marks"], said["false_positives"]["rate"]
            then = {"format": said["format"], "ring": said["ring"], "rate": rate}
            detailed = any("details" in each for each in marks) if marks else like["details"]
            decoys = any(each["basis"] == "decoys" for each in marks) if marks else like["decoys"]
            row = (str(said["image"]["id"]), str(said["image"]["sha256"]), str(said["verdict"]))
        except (BadData, LookupError, TypeError, AttributeError):
            raise EvalkitError(f"{path} holds something else than a scan. Give another --out") from None
        if {**then, "details": detailed, "decoys": decoys} != like:
            raise EvalkitError(
                f"{path} was made with another key ring, rate, --details or --decoys. Give another --out"
            )
        found.append(row)
    stream.truncate(end)
    return found
