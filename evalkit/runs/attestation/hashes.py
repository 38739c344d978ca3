"""Level 1: is every file there, is none too many, and has none changed by a byte?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalkit.runs.attestation.verdict import Failure

FOLDERS = ("images", "statistics")  # of which a record lists every file


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


def against_record(present: Mapping[str, str | None], recorded: Mapping[str, str]) -> Hashes:
    """Files against the list in record.json, which speaks of some only."""
    failures = [failure for name in sorted(recorded) if (failure := _compare(name, recorded[name], present))]
    more = sorted(set(present) - set(recorded))
    extra = [name for name in more if name.partition("/")[0] in FOLDERS and "/" in name]
    failures += [Failure(name, "the record does not know it") for name in extra]
    agreed = sum(present.get(name) == digest for name, digest in recorded.items())
    return Hashes(agreed, tuple(failures), tuple(name for name in more if name not in extra))


def _compare(name: str, digest: str, present: Mapping[str, str | None]) -> Failure | None:
    if name not in present:
        return Failure(name, "it is missing")
    found = present[name]
    if found is None:
        return Failure(name, "it is no plain file that can be read")
    return None if found == digest else Failure(name, f"it has changed: sha256 {found[:12]}…, expected {digest[:12]}…")
