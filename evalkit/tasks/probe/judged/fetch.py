"""Brings the files of a judged suite from their repository at the commit that the suite names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.protocols.judged import load_declaration
from evalkit.weights.download import cache_folder, from_url
from evalkit.whole_files import whole

RAW = "https://raw.githubusercontent.com"


def fetch(name: str, folder: Path | None = None, told: Callable[[str], None] = print) -> Path:
    """The folder that holds the files of `name` now; those that are there already are kept.

    Raises `EvalkitError` where a file cannot be had, or is another than the suite names.
    """
    said = load_declaration(name)
    target = folder or cache_folder() / "suites" / name
    if not said.source.files:
        raise EvalkitError(f"{name} has no files to fetch. {said.notes[0] if said.notes else 'Give --data DIR'}")
    told(f"{name}: {said.source.repository}, commit {said.source.commit[:10]}, licence: {said.licence}")
    for path, wanted in said.source.files.items():
        place = target / path
        if not place.is_file():
            data = _downloaded(f"{RAW}/{said.source.repository}/{said.source.commit}/{path}", place)
            if wanted and hashlib.sha256(data).hexdigest() != wanted:
                raise EvalkitError(
                    f"{path} of {said.source.repository} is not the file that {name} names. Ask its authors"
                )
            place.parent.mkdir(parents=True, exist_ok=True)
            with whole(place) as temporary:
                temporary.write_bytes(data)
            told(f"fetched {path}")
    return target


def _downloaded(url: str, place: Path) -> bytes:
    cached = from_url(url.replace(" ", "%20"))
    if cached is None:
        raise EvalkitError(f"{url} cannot be had from here. Save it as {place} by hand, and type the same again")
    data = cached.read_bytes()
    cached.unlink()  # names repeat between repositories
    return data
