"""An image set as a run's input: known by content, labelled by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.images.sample import ImageSet
from evalkit.jobs.checks import Failure
from evalkit.jobs.progress import Progress
from evalkit.jobs.spec import DataRef
from evalkit.runs.store import Run


def data_ref(images: ImageSet, n: int, source: str | Path | None) -> DataRef:
    """The first `n` images: their content, and in `settings` the digest of what is known of them."""
    settings = {"listing": images.listing(n)}
    return DataRef(images.name, n, images.digest(n), settings, None if source is None else str(source))


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
