"""What the page says of each run, and where its record and report are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalkit.pages.view.images import address
from evalkit.runs.store import Run
from evalkit.text import counted, day_text

LINKS = {"record.json": "record", "results.json": "results", "report.html": "report", "manifest.jsonl": "manifest"}


def facts(run: Run, folder: Path) -> dict[str, Any]:
    """Name, one line of what was run, terms with their values, and addresses of the run's own files."""
    record = run.record
    model, data = _part(record, "model"), _part(record, "data")
    protocols = [str(each.get("id")) for each in record.get("protocols") or [] if isinstance(each, dict)]
    name = str(model.get("name") or run.path.resolve().name)
    n = run.samples.num_rows
    terms = [
        ("task", record.get("task")),
        ("data", data.get("name")),
        ("protocols", ", ".join(protocols)),
        ("weights", f"sha256 {model['weights_sha256']}" if model.get("weights_sha256") else None),
        ("seed", record.get("seed")),
        ("made", day_text(record)),
        ("evalkit", record.get("evalkit")),
        ("command", " ".join(map(str, record.get("command") or []))),
        ("folder", run.path.resolve().name),
    ]
    return {
        "name": name,
        "line": ", ".join(str(each) for each in (data.get("name"), counted(n, "sample"), *protocols[:2]) if each),
        "n": n,
        "of": {"task": str(record.get("task") or ""), "protocol": ", ".join(protocols[:2])},
        "terms": [[term, str(value)] for term, value in terms if value not in (None, "")],
        "links": [
            [word, address(run.path / file, folder)] for file, word in LINKS.items() if (run.path / file).exists()
        ],
    }


def distinct(names: list[str], folders: list[str]) -> list[str]:
    """The names, with the run's folder behind those that occur more than once."""
    return [
        f"{name} ({folder})" if names.count(name) > 1 else name for name, folder in zip(names, folders, strict=True)
    ]


def _part(record: dict[str, Any], name: str) -> dict[str, Any]:
    part = record.get(name)
    return part if isinstance(part, dict) else {}
