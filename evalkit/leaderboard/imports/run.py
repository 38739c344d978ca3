"""`import_results`: a foreign result file becomes a sealed run that says that nothing of it was measured here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import EvalkitError
from evalkit.leaderboard.every_eval_ever import safe
from evalkit.leaderboard.imports.every_eval_ever import take_record
from evalkit.leaderboard.imports.geneval import take_geneval
from evalkit.leaderboard.imports.taken import Taken, parsed, read
from evalkit.leaderboard.imports.wise import take_wise
from evalkit.runs.record import now
from evalkit.runs.store import Run, RunStore, read_run
from evalkit.version import __version__

Form = Literal["every-eval-ever", "geneval", "wise", "wise-verified"]
FORMS: tuple[Form, ...] = ("every-eval-ever", "geneval", "wise", "wise-verified")
TASK, SAID = "import", "imported, not measured here"


def import_results(
    path: str | Path | Sequence[str | Path],
    *,
    model: str = "",
    source: str = "",
    form: Form | None = None,
    out: str | Path | None = None,
    command: Sequence[str] = (),
) -> Run:
    """The sealed run of a result file of others: an Every Eval Ever record, GenEval's results.jsonl, or WISE's scores.

    Several files are parts of one result, as WISE has three. `model`: whose results they are, where the file does not
    say it. `source`: who measured them. `form`: told from the file by default. `out`: the run's folder
    [runs/imported-<model>-<digest>]. Raises `EvalkitError` for other files.

    >>> import json, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> score = {"evaluation_name": "FID", "source_data": {"dataset_name": "COCO"}, "score_details": {"score": 7.5},
    ...          "metric_config": {"lower_is_better": True}}
    >>> record = {"schema_version": "0.3.0", "evaluation_id": "1", "model_info": {"id": "owner/model"},
    ...           "source_metadata": {"source_organization_name": "A lab"}, "evaluation_results": [score]}
    >>> _ = (folder / "record.json").write_text(json.dumps(record))
    >>> import_results(folder / "record.json", out=folder / "run").record["imported"]["note"]
    'imported, not measured here'
    """
    files = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
    file, data = files[0], b"\n".join(read(each) for each in files)
    kind = form or form_of(file)
    if len(files) > 1 and not kind.startswith("wise"):
        raise EvalkitError(f"{file} is a whole result; give files of the form {kind} one at a time")
    if kind != "every-eval-ever" and not model:
        raise EvalkitError(f"{file} does not say whose results it holds; give --model NAME")
    taken = _taken(kind, data, file, model, source)
    digest = hashlib.sha256(data).hexdigest()
    folder = Path(out) if out is not None else Path("runs") / f"imported-{safe(taken.model)}-{digest[:8]}"
    return _sealed(taken, folder, kind, {"file": file.name, "sha256": digest}, source, command)


def _taken(form: Form, data: bytes, file: Path, model: str, source: str) -> Taken:
    if form == "every-eval-ever":
        return take_record(parsed(data, file), file, model)
    if form == "geneval":
        return take_geneval(file, model, source)
    return take_wise(data.splitlines(), file, form, model, source)


def _sealed(taken: Taken, folder: Path, form: Form, file: dict[str, Any], source: str, command: Sequence[str]) -> Run:
    said = {"form": form, **file, "source": source or taken.source, "note": SAID, **taken.facts}
    plan = {"task": TASK, "imported": said, "model": taken.model}
    store = RunStore(folder)
    store.begin(plan)
    if not store.sealed:
        store.write([taken.samples], taken.results, {}, taken.samples.schema)
        store.seal(
            {
                "evalkit": __version__,
                "task": TASK,
                "created": now(),
                "command": list(command),
                "model": {"name": taken.model, "title": taken.model},
                "data": {"name": taken.data, "n": taken.n, "digest": ""},
                "protocols": [],
                "imported": said,
                "warnings": [SAID],
                "plan": plan,
            }
        )
        store.settle()
    return read_run(folder)


def form_of(path: Path) -> Form:
    """What a file is, by what its first value holds; raises `EvalkitError` where that is nothing known."""
    data = read(path)
    head = data.lstrip()[:1]
    if head == b"{":
        lines = data.strip().split(b"\n", 1)
        first = parsed(lines[0] if lines[0].rstrip().endswith(b"}") else data, path)
        if isinstance(first, dict) and "evaluation_results" in first:
            return "every-eval-ever"
        if isinstance(first, dict) and {"tag", "correct", "metadata"} <= set(first):
            return "geneval"
        if isinstance(first, dict) and "prompt_id" in first:
            return "wise" if "consistency" in first else "wise-verified"
    raise EvalkitError(
        f"{path} is no result file that is known; give one of {', '.join(FORMS)}, or say which with --as"
    )
