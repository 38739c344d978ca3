"""An image set as a run's input: known by content, labelled by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.images.sample import MISSING, ImageSet
from evalkit.jobs.checks import Failure
from evalkit.jobs.progress import Progress
from evalkit.jobs.shard import Shard, Sources
from evalkit.jobs.spec import DataRef
from evalkit.runs.store import Run


def data_ref(images: ImageSet, n: int, source: str | Path | None) -> DataRef:
    """The first `n` images: their content, and in `settings` the digest of what is known of them."""
    settings = {"listing": images.listing(n)}
    return DataRef(images.name, n, images.digest(n), settings, None if source is None else str(source))


Pair = tuple[str, str]  # id and sha256 of an image


def sources_of(*sets: tuple[str, ImageSet, int]) -> Sources | None:
    """The sources of shards over the first n images of each set, one set behind the other; each is (role, images, n).

    None where images are known by the revision of a data set, and not by their sha256.
    """
    pairs = [pair for _, images, n in sets for pair in _pairs(images, n)]
    roles = tuple(role for role, *_ in sets)
    return Sources(roles, lambda shard: set(pairs[shard.start : shard.stop])) if _hashed(pairs) else None


def sources_of_blocks(n: int, *sets: tuple[str, ImageSet, int]) -> Sources | None:
    """The same where shards count `n` places in all sets alike, and count them again for each attack."""
    pairs = [_pairs(images, most) for _, images, most in sets]

    def of(shard: Shard) -> set[Pair]:
        start = shard.start % n
        return {pair for each in pairs for pair in each[start : start + shard.size]}

    return Sources(tuple(role for role, *_ in sets), of) if all(map(_hashed, pairs)) else None


def _pairs(images: ImageSet, n: int) -> list[Pair]:
    return list(zip(images.ids()[:n], images.fingerprints(min(n, len(images))), strict=True))


def _hashed(pairs: Sequence[Pair]) -> bool:
    return all(len(sha256) == 64 or sha256 == MISSING for _, sha256 in pairs)


def told(images: ImageSet, progress: Progress) -> dict[str, Any]:
    """What a record says of the set besides; a person is told what was left out."""
    for remark in images.remarks():
        progress.note(remark)
    return images.as_record()


def data_failures(run: Run, found: str) -> list[Failure]:
    """What is wrong with the record's digest of the data where the rows give `found`.

    Records that do not say what was left out are older, and their digests are over names, sizes and times.
    """
    data = run.record["data"]
    if "skipped" not in data or data["digest"] == found:
        return []
    return [Failure("record.json", f"the data's digest is {data['digest']}, the rows give {found}")]
