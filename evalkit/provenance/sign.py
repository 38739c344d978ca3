"""`sign_run`: a statement over all files of a run, signed, as attestation.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jobs.progress import Progress
from evalkit.provenance.dsse import BadEnvelope, Envelope, parse, sign
from evalkit.provenance.hashes import against_listed
from evalkit.provenance.kinds import (
    BOARD,
    MANIFEST,
    OF_A_RUN,
    Kind,
    board_failures,
    board_runs,
    listed,
    manifest_failures,
)
from evalkit.provenance.schema import schema_failures
from evalkit.provenance.statement import parent_of, parents_in, present_digests, statement_of
from evalkit.runs.store import ATTESTATION, RECORD, read_run, write_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from evalkit.provenance.statement import Parent


def sign_run(
    folder: str | Path,
    key: Ed25519PrivateKey,
    *,
    parents: Sequence[str | Path] = (),
    replace: bool = False,
    progress: Progress | None = None,
) -> Envelope:
    """Write attestation.json of a sealed run, or of a folder that was made from the runs `parents` (a leaderboard).

    A run whose data lies in another run (images that were generated) has that run as a parent without being told so.
    Signing again with the same key and files changes nothing; `replace` is needed where they differ. Raises
    `EvalkitError` where a file is not what the record says, so that no changed run is ever signed.
    """
    folder = Path(folder)
    kind = _kind(folder, parents)
    present = present_digests(folder, progress)
    links = [name for name, digest in present.items() if digest is None]
    if links:
        raise EvalkitError(f"{folder}/{links[0]} is no plain file; a statement speaks of files only")
    _check(folder, kind, present)
    found = [Path(each) for each in parents]
    if kind == "run":
        found += _source(folder, read_run(folder).record)
    elif kind == "board":
        found += _board_runs(folder)
    above = {each.record: each for each in (parent_of(read_run(path).path) for path in found)}
    files = {name: digest for name, digest in present.items() if digest is not None}
    try:
        envelope = sign(statement_of(folder, list(above.values()), files), key)
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        raise EvalkitError(f"the rows of {folder}/samples.parquet cannot be read: {str(error)[:120]}") from None
    _write(folder / ATTESTATION, envelope, replace)
    return envelope


def _kind(folder: Path, parents: Sequence[str | Path]) -> Kind:
    if (folder / RECORD).is_file():
        return "run"
    if not folder.is_dir() or any((folder / name).exists() for name in OF_A_RUN):
        read_run(folder)  # says what is there instead of a run
    if (folder / MANIFEST).is_file():
        return "manifest"
    if (folder / BOARD).is_file():
        return "board"
    if not parents:
        raise EvalkitError(f"{folder} is no run; give --parent RUN for each run that it was made from")
    return "files"


def _check(folder: Path, kind: Kind, present: Mapping[str, str | None]) -> None:
    """Raise unless the folder is what its record or manifest says."""
    shapes = {"run": schema_failures, "manifest": manifest_failures, "board": board_failures}
    bad = shapes[kind](folder) if kind in shapes else []
    if not bad and kind in ("run", "manifest"):
        bad = list(against_listed(present, listed(folder, kind)).failures)
    if bad:
        raise EvalkitError(f"{folder}/{bad[0].file} is not what the run left ({bad[0].reason}); it is not signed")


def check_whole(folder: Path) -> None:
    """Raise `EvalkitError` unless the sealed run is what its record says."""
    _check(folder, "run", present_digests(folder))


def _source(folder: Path, record: Mapping[str, Any]) -> list[Path]:
    """The runs that the data of this one and its reference lie in, if they do and are still there."""
    found: list[Path] = []
    for role in ("data", "reference"):
        spec = (record.get(role) or {}).get("spec")
        if spec:
            path = Path(str(spec)).expanduser()
            near = [each for each in (path, *path.parents[:2]) if (each / RECORD).is_file()]
            found += [each for each in near if each.resolve() != folder.resolve()][:1]
    return found


def _board_runs(folder: Path) -> list[Path]:
    """The runs that a leaderboard says that it was made of."""
    found, lost = board_runs(folder)
    if lost:
        raise EvalkitError(f"{lost[0]} is not where {folder}/{BOARD} says, or has changed; make the leaderboard again")
    return found


def _write(path: Path, envelope: Envelope, replace: bool) -> None:
    if path.exists() and not replace:
        try:
            before = parse(path.read_bytes())
        except BadEnvelope:
            before = None
        if before is None or before.payload != envelope.payload or envelope.signatures[0] not in before.signatures:
            raise EvalkitError(
                f"{path} is there already, over other files or by another key; give --force to replace it"
            )
        return  # it may hold co-signatures too
    write_bytes(path, envelope.to_json())


def parents_of(folder: Path) -> tuple[Parent, ...]:
    """The parents that a signed folder names, none where it is not signed."""
    try:
        return tuple(parents_in(parse((folder / ATTESTATION).read_bytes()).statement))
    except (OSError, BadEnvelope, *DAMAGED):
        return ()
