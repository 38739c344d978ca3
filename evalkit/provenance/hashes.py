"""Level 1: is every file there, is none too many, and has none changed by a byte?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from evalkit.images.kinds import SUFFIXES
from evalkit.jobs.checks import Failure
from evalkit.provenance.kinds import Listed
from evalkit.runs.store import RECORD

FOLDERS = ("images", "statistics")  # of which every record lists all files
IMAGES = SUFFIXES  # of which every manifest lists all


@dataclass(frozen=True)
class Hashes:
    """How many files agree, what fails, and which files nobody vouches for."""

    agreed: int
    failures: tuple[Failure, ...]
    uncovered: tuple[str, ...] = ()


def against_statement(present: Mapping[str, str | None], signed: Mapping[str, str]) -> Hashes:
    """All files against a signed list: missing, changed and further ones."""
    failures = [failure for name in sorted(signed) if (failure := _compare(name, signed[name], present))]
    failures += [
        Failure(name, "it was not there when the run was signed") for name in sorted(set(present) - set(signed))
    ]
    return Hashes(sum(present.get(name) == digest for name, digest in signed.items()), tuple(failures))


def against_listed(present: Mapping[str, str | None], said: Listed) -> Hashes:
    """Files against what the folder's own record or manifest lists; a whole list fails every further file."""
    failures = [failure for name in sorted(said.files) if (failure := _compare(name, said.files[name], present))]
    more = sorted(set(present) - set(said.files) - {RECORD})
    extra = [name for name in more if said.whole or _belongs(name)] if said.files else []
    failures += [Failure(name, "nothing lists it, so it was added later") for name in extra]
    failures += [said.failure] if said.failure else []
    agreed = sum(present.get(name) == digest for name, digest in said.files.items())
    agreed += said.whole and said.failure is None  # the record, by its own digest
    uncovered = [name for name in more if name not in extra]
    return Hashes(agreed, tuple(failures), (*([] if said.whole or RECORD not in present else [RECORD]), *uncovered))


def _belongs(name: str) -> bool:
    """Whether lists that speak of some files only would speak of this one."""
    path = PurePosixPath(name)
    return (len(path.parts) > 1 and path.parts[0] in FOLDERS) or path.suffix.lower() in IMAGES


def _compare(name: str, digest: str, present: Mapping[str, str | None]) -> Failure | None:
    if name not in present:
        return Failure(name, "it is missing")
    found = present[name]
    if found is None:
        return Failure(name, "it is no plain file that can be read")
    return None if found == digest else Failure(name, f"it has changed: sha256 {found[:12]}…, expected {digest[:12]}…")
