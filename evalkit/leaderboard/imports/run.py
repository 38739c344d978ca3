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
from evalkit.runs.record import now
from evalkit.runs.store import Run, RunStore, read_run
from evalkit.version import __version__

Form = Literal["every-eval-ever", "geneval"]
FORMS: tuple[Form, ...] = ("every-eval-ever", "geneval")
TASK, SAID = "import", "imported, not measured here"


def import_results(
    path: str | Path,
    *,
    model: str = "",
    source: str = "",
    form: Form | None = None,
    out: str | Path | None = None,
    command: Sequence[str] = (),
) -> Run:
    """The sealed run of a result file of others: an Every Eval Ever record, or GenEval's results.jsonl.

    `model`: whose results they are, where the file does not say it. `source`: who measured them. `form`: told from the
    file by default. `out`: the run's folder [runs/imported-<model>-<digest>]. Raises `EvalkitError` for other files.

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
    file = Path(path)
    data = read(file)
    kind = form or _form(data, file)
    if kind != "every-eval-ever" and not model:
        raise EvalkitError(f"{file} does not say whose results it holds; give --model NAME")
    taken = (
        take_record(parsed(data, file), file, model) if kind == "every-eval-ever" else take_geneval(file, model, source)
    )
    digest = hashlib.sha256(data).hexdigest()
    folder = Path(out) if out is not None else Path("runs") / f"imported-{safe(taken.model)}-{digest[:8]}"
    return _sealed(taken, folder, kind, {"file": file.name, "sha256": digest}, source, command)


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
    return read_run(folder)


def _form(data: bytes, path: Path) -> Form:
    """What a file is, by what its first value holds."""
    head = data.lstrip()[:1]
    if head == b"{":
        lines = data.strip().split(b"\n", 1)
        first = parsed(lines[0] if lines[0].rstrip().endswith(b"}") else data, path)
        if isinstance(first, dict) and "evaluation_results" in first:
            return "every-eval-ever"
        if isinstance(first, dict) and {"tag", "correct", "metadata"} <= set(first):
            return "geneval"
    raise EvalkitError(
        f"{path} is no result file that is known; give one of {', '.join(FORMS)}, or say which with --as"
    )
