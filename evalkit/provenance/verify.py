"""`verify_run`: from the shape of the files up to samples made again; what fails is named, and what would raise the level."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from evalkit.errors import BadData, BadImage, EvalkitError
from evalkit.jobs.checks import CHECKS, Checks, Failure, How, Outcome
from evalkit.jobs.progress import Progress
from evalkit.jobs.task import TASKS
from evalkit.jobs.timers import Timers
from evalkit.provenance.audit import level_seed
from evalkit.provenance.audit import said as worth
from evalkit.provenance.dsse import BadEnvelope, Envelope, parse
from evalkit.provenance.hashes import Hashes, against_listed, against_statement
from evalkit.provenance.kinds import Kind, Listed, board_failures, kind_of, listed, manifest_failures, opened
from evalkit.provenance.models import model_failures
from evalkit.provenance.parents import follow
from evalkit.provenance.schema import schema_failures
from evalkit.provenance.signature import signature_step
from evalkit.provenance.statement import file_digests_in, parents_in, present_digests, statement_of
from evalkit.provenance.verdict import Step, Verdict
from evalkit.runs.plain import is_plain, read_plain
from evalkit.runs.store import ATTESTATION, RECORD, Run, local_run

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True)
class Depth:
    """How deep to look: the signer's key, whether results are recomputed, how many samples are scored or made again.

    `parents`: the folder that holds the runs that this one was made from. `above`: records on the way here.
    """

    key: Ed25519PublicKey | None = None
    recompute: bool = True
    rescore: int = 0
    regenerate: int = 0
    how: How = field(default_factory=How)
    parents: Path | None = None
    progress: Progress | None = None
    above: tuple[str, ...] = ()
    known: dict[Path, Verdict] | None = None  # of parents that several runs share, within one verification


def verify_run(folder: str | Path, depth: Depth | None = None) -> Verdict:
    """Check a run, signed or not, or a folder that is signed or has a manifest; nothing is written.

    Raises `EvalkitError` where there is none of them.

    >>> import pathlib, tempfile
    >>> import evalkit
    >>> from evalkit.jobs.options import RunOptions
    >>> out = pathlib.Path(tempfile.mkdtemp()) / "run"
    >>> made = evalkit.evaluate_tokenizer("jpeg-q75", "sample/photos", tasks=["reconstruction"],
    ...                                   options=RunOptions(out=out, limit=2, keep="none"))
    >>> verdict = verify_run(out)
    >>> verdict.level, verdict.failures  # nobody signed it
    (1, ())
    """
    folder, depth = local_run(folder), depth or Depth()
    if not folder.is_dir():
        raise EvalkitError(f"{folder} is no folder; give a run, or a folder that was signed")
    timers = Timers()
    with timers("hashes"):
        kind = kind_of(folder)
        present = present_digests(folder, depth.progress)
    with timers("schema"):
        envelope, broken = _envelope(folder)
        hashes = _hashes(listed(folder, kind), present, envelope)
        changed = {failure.file for failure in hashes.failures}
        schema = _schema(folder, kind, changed)
        schema += [broken] if broken else []
        steps = [_schema_step(schema, kind), _hash_step(hashes, envelope, present)]
    with timers("signature"):
        if not (schema or changed) and envelope is not None:
            broken = _predicate(folder, present, envelope)
        steps.append(signature_step(envelope, broken, depth.key))
    unsaid = "files have changed" if schema or changed else "the attestation does not hold" if broken else None
    steps += _deeper(folder, depth, kind, unsaid, timers)
    with timers("parents"):
        above, lost = _above(folder, depth, present.get(RECORD))
    seed = depth.how.seed if depth.rescore or depth.regenerate else None
    if depth.progress is not None:
        depth.progress.timed(folder.resolve().name, timers.seconds)
    return Verdict(folder.resolve().name, tuple(steps), above, lost, seed)


def _above(folder: Path, depth: Depth, own: str | None) -> tuple[tuple[Verdict, ...], tuple[Failure, ...]]:
    """Verdicts on the runs that this one was made from, and those that are not there; `own`: sha256 of its record."""
    way = (*depth.above, own) if own else depth.above
    known = {} if depth.known is None else depth.known
    next_depth = replace(depth, rescore=0, regenerate=0, above=way, known=known)
    return follow(folder, depth.parents, way, lambda path: _parent(path, next_depth, known))


def _parent(path: Path, depth: Depth, known: dict[Path, Verdict]) -> Verdict:
    if path not in known:
        known[path] = verify_run(path, depth)
    return known[path]


def _envelope(folder: Path) -> tuple[Envelope | None, Failure | None]:
    path = folder / ATTESTATION
    if not is_plain(path):
        return None, Failure(ATTESTATION, "it is no plain file") if path.is_symlink() or path.exists() else None
    try:
        envelope = parse(read_plain(path, links=False))
        file_digests_in(envelope.statement), parents_in(envelope.statement)
        return envelope, None
    except BadEnvelope as error:
        return None, Failure(ATTESTATION, str(error))
    except OSError as error:
        return None, Failure(ATTESTATION, f"it cannot be read: {error.strerror or error}")
    except (KeyError, TypeError, AttributeError) as error:
        return None, Failure(ATTESTATION, f"its statement lacks a part ({error})")


def _hashes(said: Listed, present: Mapping[str, str | None], envelope: Envelope | None) -> Hashes:
    """Against the statement, else against the folder's own list; a record that contradicts itself fails either way."""
    if envelope is None:
        return against_listed(present, said)
    found = against_statement(present, file_digests_in(envelope.statement))
    further = [said.failure] if said.failure and said.failure.file not in {each.file for each in found.failures} else []
    return replace(found, failures=(*found.failures, *further))


def _schema(folder: Path, kind: Kind, changed: Collection[str]) -> list[Failure]:
    if kind == "run":
        return schema_failures(folder, changed)
    return {"manifest": manifest_failures, "board": board_failures}.get(kind, _none)(folder)


def _none(folder: Path) -> list[Failure]:
    return []


def _predicate(folder: Path, present: Mapping[str, str | None], envelope: Envelope) -> Failure | None:
    """The whole statement is made again from the files; it must be the same to the byte."""
    files = {name: digest for name, digest in present.items() if digest is not None}
    try:
        again = statement_of(folder, parents_in(envelope.statement), files)
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        return Failure("samples.parquet", f"its rows cannot be read ({type(error).__name__})")
    if again == envelope.statement:
        return None
    return Failure(ATTESTATION, "its statement does not follow from the files that it speaks of")


def _schema_step(failures: list[Failure], kind: Kind) -> Step:
    if failures:
        return Step(0, "failed", "files are not what they claim to be", tuple(failures))
    said = {
        "run": "record, plan, results and samples are whole and agree",
        "manifest": "no run, but a manifest of images that can be read",
        "board": "no run, but a leaderboard that names the runs that it was made of",
        "files": "a folder of files, no run",
    }
    return Step(0, "passed", said[kind])


def _hash_step(hashes: Hashes, envelope: Envelope | None, present: Mapping[str, str | None]) -> Step:
    if hashes.failures:
        return Step(1, "failed", f"{len(hashes.failures)} files differ from what was recorded", hashes.failures)
    if envelope is not None:
        return Step(1, "passed", f"all {hashes.agreed} files are those of the statement")
    if hashes.agreed == 0:
        said = f"none of {len(present)} files is listed"
        return Step(1, "not reached", said, hint="no file is listed; sign the folder: evalkit sign RUN --key FILE")
    said = f"{hashes.agreed} of {len(present)} files are as the folder itself lists them"
    if hashes.uncovered:
        few = ", ".join(hashes.uncovered[:4])
        more = len(hashes.uncovered) - 4
        said += f"; nothing lists {few}{f' and {more} more' if more > 0 else ''}"
    return Step(1, "passed", said)


def _deeper(folder: Path, depth: Depth, kind: Kind, unsaid: str | None, timers: Timers) -> list[Step]:
    """Levels 3 to 5, unless `unsaid` is a reason to leave them out; another signer is none."""
    if unsaid is not None:
        return [Step(level, "not reached", f"left out: {unsaid}") for level in (3, 4, 5)]
    with timers("schema"):
        run = opened(folder, kind)
    if run is None:
        return [Step(level, "not needed", "no run, so there is nothing to recompute") for level in (3, 4, 5)]
    if not (depth.recompute or depth.rescore or depth.regenerate):  # so that nothing heavy is imported
        return [Step(level, "not reached", "not asked for") for level in (3, 4, 5)]
    try:
        with timers("recompute"):
            checks = checks_of(run.record["task"])
    except EvalkitError:
        said = f"evalkit has no checks for the task {run.record['task']!r}"
        return [Step(level, "not reached", said) for level in (3, 4, 5)]
    steps = []
    for stage, check in (("recompute", _recomputed), ("re-score", _rescored), ("regenerate", _regenerated)):
        with timers(stage):
            steps.append(check(run, depth, checks))
    return steps


def checks_of(task: str) -> Checks:
    """The checks of a task; raises `EvalkitError` where there are none."""
    return TASKS.get(task).checks() if task in TASKS else CHECKS.get(task)


def _recomputed(run: Run, depth: Depth, checks: Checks) -> Step:
    if not depth.recompute:
        return Step(3, "not reached", "not asked for", hint="leave out --no-recompute")
    try:
        outcome = checks.recompute(run, depth.how)
        outcome = replace(outcome, failures=(*model_failures(run), *outcome.failures))
    except (BadData, BadImage) as error:  # level 3 reads nothing but the run's own files
        return Step(3, "failed", "a file cannot be read", (Failure("results.json", str(error)),))
    except EvalkitError as error:
        return _step(3, Outcome(0, open=str(error)), "")
    except Exception as error:  # rows that were never made by evalkit can break the fold in any way
        said = f"they cannot be folded again ({_short(error)})"
        return Step(3, "failed", said, (Failure("results.json", said),))
    said = f"{outcome.checked} of {len(run.results)} results follow from rows and statistics"
    return _step(3, outcome, said if run.results else f"{outcome.checked} rows follow from what they were made of")


def _rescored(run: Run, depth: Depth, checks: Checks) -> Step:
    if not checks.scores:
        return Step(4, "not needed", "the run scores no image that it keeps")
    if not depth.rescore:
        return Step(4, "not reached", "not asked for", hint="score kept images again: --rescore 8")
    how = replace(depth.how, seed=level_seed(depth.how.seed, 4))
    outcome = _tried(run, lambda: checks.rescore(run, depth.rescore, how))
    return _step(4, outcome, f"{outcome.checked} kept images give the scores of their rows", depth.how.seed)


def _regenerated(run: Run, depth: Depth, checks: Checks) -> Step:
    if not checks.makes:
        return Step(5, "not needed", "the run makes no samples of its own")
    if not depth.regenerate:
        return Step(5, "not reached", "not asked for", hint="make samples again: --regenerate 4")
    how = replace(depth.how, seed=level_seed(depth.how.seed, 5))
    outcome = _tried(run, lambda: checks.regenerate(run, depth.regenerate, how))
    return _step(5, outcome, f"{outcome.checked} samples made again are the same", depth.how.seed)


def _tried(run: Run, check: Callable[[], Outcome]) -> Outcome:
    """What the check says; where it breaks off on the run's own files it has failed, on a small machine nothing is said."""
    try:
        return check()
    except BadImage as error:
        return Outcome(0, (Failure("images", str(error)),))
    except EvalkitError as error:
        return Outcome(0, open=str(error))
    except (MemoryError, RuntimeError, ImportError) as error:  # of this machine
        return Outcome(0, open=f"it broke off ({_short(error)})")
    except OSError as error:
        name = Path(str(error.filename or ""))
        if error.filename is None or name.is_relative_to(run.path):
            return Outcome(0, (Failure(name.name or "images", f"it broke off there ({_short(error)})"),))
        return Outcome(0, open=f"it broke off ({_short(error)})")
    except Exception as error:
        return Outcome(0, (Failure("samples.parquet", f"its rows broke the check off ({_short(error)})"),))


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:120]}"


def _step(level: int, outcome: Outcome, said: str, seed: int | None = None) -> Step:
    if seed is not None and outcome.of and outcome.checked:
        said = f"{said} ({worth(outcome.of, outcome.checked, seed)})"
    if outcome.failures:
        return Step(level, "failed", f"{len(outcome.failures)} disagree", outcome.failures)
    if outcome.open is not None and outcome.checked == 0:
        return Step(level, "not reached", outcome.open, hint=outcome.open)
    return Step(level, "passed", said if outcome.open is None else f"{said}; {outcome.open}")
