"""`verify_run`: from the shape of the files up to samples made again; what fails is named, and what would raise the level."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import EvalkitError
from evalkit.runs.attestation.checks import CHECKS, Checks, How, Outcome
from evalkit.runs.attestation.dsse import BadEnvelope, Envelope, parse, signature_holds
from evalkit.runs.attestation.files import ATTESTATION
from evalkit.runs.attestation.hashes import Hashes, against_record, against_statement
from evalkit.runs.attestation.parents import follow
from evalkit.runs.attestation.schema import schema_failures
from evalkit.runs.attestation.statement import (
    file_digests_in,
    parents_in,
    present_digests,
    statement_of,
)
from evalkit.runs.attestation.verdict import Failure, Step, Verdict
from evalkit.runs.store import Run, read_run

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True)
class Depth:
    """How deep to look: the signer's key, whether results are recomputed, how many samples are scored or made again."""

    key: Ed25519PublicKey | None = None
    recompute: bool = True
    rescore: int = 0
    regenerate: int = 0
    how: How = field(default_factory=How)
    parents: Path | None = None


def verify_run(folder: str | Path, depth: Depth | None = None) -> Verdict:
    """Check a run, signed or not, or a signed folder; nothing is written. Raises `EvalkitError` where there is neither."""
    folder, depth = Path(folder), depth or Depth()
    signed = (folder / ATTESTATION).is_file()
    is_run = any((folder / name).is_file() for name in ("record.json", "plan.json", "samples.parquet"))
    if not signed and not (folder / "record.json").is_file():
        read_run(folder)
    present = present_digests(folder)
    envelope, broken = _envelope(folder) if signed else (None, None)
    hashes = _hashes(folder, present, envelope)
    changed = {failure.file for failure in hashes.failures}
    schema = schema_failures(folder, changed) if is_run else []
    schema += [broken] if broken else []
    steps = [_schema_step(schema, is_run), _hash_step(hashes, envelope, present)]
    if signed and not (schema or changed) and envelope is not None:
        broken = _predicate(folder, present, envelope)
    steps.append(_signature_step(envelope, broken, depth.key))
    whole = not any(step.failures for step in steps)
    steps += _deeper(folder, depth, is_run, whole)
    above, lost = follow(folder, depth.parents, lambda path: verify_run(path, _shallow(depth)))
    return Verdict(folder.name or str(folder), tuple(steps), above, lost)


def _shallow(depth: Depth) -> Depth:
    return Depth(key=depth.key, recompute=depth.recompute, how=depth.how, parents=depth.parents)


def _envelope(folder: Path) -> tuple[Envelope | None, Failure | None]:
    try:
        envelope = parse((folder / ATTESTATION).read_bytes())
        file_digests_in(envelope.statement), parents_in(envelope.statement)
        return envelope, None
    except BadEnvelope as error:
        return None, Failure(ATTESTATION, str(error))
    except (KeyError, TypeError) as error:
        return None, Failure(ATTESTATION, f"its statement lacks a part ({error})")


def _hashes(folder: Path, present: Mapping[str, str | None], envelope: Envelope | None) -> Hashes:
    if envelope is not None:
        return against_statement(present, file_digests_in(envelope.statement))
    try:
        recorded = json.loads((folder / "record.json").read_bytes())["files"]
        return against_record(present, {str(name): str(digest) for name, digest in recorded.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Hashes(0, (), tuple(sorted(present)))


def _predicate(folder: Path, present: Mapping[str, str | None], envelope: Envelope) -> Failure | None:
    """The whole statement is made again from the files; it must be the same to the byte."""
    files = {name: digest for name, digest in present.items() if digest is not None}
    if statement_of(folder, parents_in(envelope.statement), files) == envelope.statement:
        return None
    return Failure(ATTESTATION, "its statement does not follow from the files that it speaks of")


def _schema_step(failures: list[Failure], is_run: bool) -> Step:
    if failures:
        return Step(0, "failed", "files are not what they claim to be", tuple(failures))
    said = "record, plan, results and samples are whole and agree" if is_run else "a folder of files, no run"
    return Step(0, "passed", said)


def _hash_step(hashes: Hashes, envelope: Envelope | None, present: Mapping[str, str | None]) -> Step:
    if hashes.failures:
        return Step(1, "failed", f"{len(hashes.failures)} files differ from what was recorded", hashes.failures)
    if envelope is not None:
        return Step(1, "passed", f"all {hashes.agreed} files are those of the statement")
    said = f"{hashes.agreed} of {len(present)} files are those of the record"
    if hashes.agreed == 0:
        return Step(1, "not reached", said, hint="the record lists no files; sign the run: evalkit sign RUN --key FILE")
    return Step(1, "passed", f"{said}; nobody vouches for {', '.join(hashes.uncovered[:4])}")


def _signature_step(envelope: Envelope | None, broken: Failure | None, key: Ed25519PublicKey | None) -> Step:
    if broken is not None:
        return Step(2, "failed", "the attestation does not hold", (broken,))
    if envelope is None:
        if key is not None:
            missing = Failure(ATTESTATION, "it is missing, so nothing here is signed by the given key")
            return Step(2, "failed", "there is no signature", (missing,))
        return Step(2, "not reached", "not signed", hint="have its maker sign it: evalkit sign RUN --key FILE")
    if not signature_holds(envelope):
        return Step(2, "failed", "the signature is wrong", (Failure(ATTESTATION, "the signature does not hold"),))
    signer = f"ed25519 {envelope.keyid[:16]}…"
    if key is None:
        hint = f"give the key of the signer you expect: --public-key FILE (the run names {signer})"
        return Step(2, "not reached", f"signed by {signer}, whom nobody vouches for", hint=hint)
    if not signature_holds(envelope, key):
        other = Failure(ATTESTATION, f"signed by another key ({signer}) than the given one")
        return Step(2, "failed", "the signature is another's", (other,))
    return Step(2, "passed", f"signed by the given key, {signer}")


def _deeper(folder: Path, depth: Depth, is_run: bool, whole: bool) -> list[Step]:
    if not is_run:
        return [Step(level, "not needed", "no run, so there is nothing to recompute") for level in (3, 4, 5)]
    if not whole:
        return [Step(level, "not reached", "left out: files have changed") for level in (3, 4, 5)]
    run = read_run(folder)
    try:
        checks = CHECKS.get(run.record["task"])
    except EvalkitError:
        said = f"the task {run.record['task']!r} brings no checks"
        return [Step(level, "not reached", said) for level in (3, 4, 5)]
    return [_recomputed(run, depth, checks), _rescored(run, depth, checks), _regenerated(run, depth, checks)]


def _recomputed(run: Run, depth: Depth, checks: Checks) -> Step:
    if not depth.recompute:
        return Step(3, "not reached", "not asked for", hint="leave out --no-recompute")
    try:
        outcome = checks.recompute(run)
    except Exception as error:  # rows that were never made by evalkit can break the fold in any way
        said = f"they cannot be folded again ({type(error).__name__}: {str(error)[:120]})"
        return Step(3, "failed", said, (Failure("results.json", said),))
    return _step(3, outcome, f"{outcome.checked} of {len(run.results)} results follow from rows and statistics")


def _rescored(run: Run, depth: Depth, checks: Checks) -> Step:
    outcome = checks.rescore(run, depth.rescore, depth.how) if depth.rescore else None
    if outcome is None:
        if not depth.rescore:
            return Step(4, "not reached", "not asked for", hint="score kept pictures again: --rescore 8")
        return Step(4, "not needed", "the run scores no picture")
    return _step(4, outcome, f"{outcome.checked} kept pictures give the scores of their rows")


def _regenerated(run: Run, depth: Depth, checks: Checks) -> Step:
    if not depth.regenerate:
        return Step(5, "not reached", "not asked for", hint="make samples again: --regenerate 4")
    outcome = checks.regenerate(run, depth.regenerate, depth.how)
    return _step(5, outcome, f"{outcome.checked} samples made again are the same")


def _step(level: int, outcome: Outcome, said: str) -> Step:
    if outcome.failures:
        return Step(level, "failed", f"{len(outcome.failures)} disagree", outcome.failures)
    if outcome.open is not None and outcome.checked == 0:
        return Step(level, "not reached", outcome.open, hint=outcome.open)
    return Step(level, "passed", said if outcome.open is None else f"{said}; {outcome.open}")
