"""A hook of mkdocs: docs/files.md gets the fields of every file from the code that writes it, described by fields.toml."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.jobs.spec import DataRef, ModelRef, ProtocolRef, Spec
from evalkit.jobs.task import MODULES, TASKS
from evalkit.metrics.registry import METRICS
from evalkit.provenance.schema import OPTIONAL, RECORD
from evalkit.runs.record import environment
from evalkit.runs.store import Result
from evalkit.tasks.probe.evidence.lines import NAMES
from evalkit.tasks.probe.evidence.sections import SECTIONS
from evalkit.watermark.detection.calibration import Calibration
from evalkit.watermark.detection.calibration_file import calibration_bytes
from evalkit.watermark.methods.files import FIELDS as MARK
from evalkit.watermark.service.ring import Entry
from evalkit.watermark.spec import NUMBERS

SAID: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("fields.toml").read_text(encoding="utf-8"))
PLAIN = {"str": "text", "dict": "object", "list": "list", "int": "number", "float": "number", "bool": "true or false"}
KINDS = {"string": "text", "double": "float64"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with a table in the place of each `<!-- fields: NAME -->`."""
    return re.sub(r"<!-- fields: (\w+) -->", lambda found: "\n".join(TABLES[found[1]]()), markdown)


def samples() -> Iterator[str]:
    """A table of columns for each task."""
    declared = {field.name: metric for metric in METRICS.all() for field in metric.columns if field.name == metric.name}
    for task in MODULES:
        yield f"\n### {task}\n\n| column | type | what |\n|---|---|---|"
        for field in TASKS.get(task).schema(Spec(task, 1)):
            kind = KINDS.get(str(field.type), str(field.type))
            yield f"| `{field.name}` | {kind} | {_column(task, field.name, declared)} |"


def described(table: str, names: Mapping[str, str]) -> Iterator[str]:
    """Rows of names with their types; a name that fields.toml does not know has a dash."""
    yield "| field | type | what |\n|---|---|---|"
    for name, kind in names.items():
        yield f"| `{name}` | {kind} | {SAID[table].get(name, '—')} |"


def listed(table: str, names: Iterable[str]) -> Iterator[str]:
    """The same without types."""
    yield "| field | what |\n|---|---|"
    yield from (f"| `{name}` | {SAID[table].get(name, '—')} |" for name in names)


def _column(task: str, name: str, declared: Mapping[str, Any]) -> str:
    own = SAID["samples"].get(task, {})
    for place in (own, SAID["samples"], SAID["detection"] if task.startswith("watermark-") else {}):
        if isinstance(found := place.get(name), str):
            return found
    for pattern, said in SAID["patterns"].items():
        if re.fullmatch(pattern, name):
            return said
    if name in declared or name in METRICS:
        metric = METRICS.get(name)
        return f"{metric.title}{f' ({metric.unit})' if metric.unit else ''}"
    return "—"


def _results() -> Iterator[str]:
    kinds = {each.name: str(each.type).partition(" | ") for each in fields(Result)}
    return described(
        "results",
        {name: PLAIN.get(kind, "text") + (" or null" if null else "") for name, (kind, null, _) in kinds.items()},
    )


def _record() -> Iterator[str]:
    known = {name: PLAIN[kind.__name__] for name, kind in RECORD.items()}
    known |= {name: f"{PLAIN[kind.__name__]} or null" for name, kind in OPTIONAL.items()}
    return described("record", {**known, "seed": "number", "engine": "object", "timings": "object", "digest": "text"})


def _plan() -> Iterator[str]:
    plan = Spec("t", 1).plan()
    yield from described("plan", {name: PLAIN[type(value).__name__] for name, value in plan.items()})
    for title, kind in (("a model", ModelRef), ("an input", DataRef), ("a protocol", ProtocolRef)):
        names = [each.name for each in fields(kind) if each.compare]
        yield f"\nOf {title}: {', '.join(f'`{name}`' for name in names)}."


def _calibration() -> Iterator[str]:
    nothing = np.zeros(0)
    content = json.loads(calibration_bytes(Calibration(nothing, nothing, (), nothing, {}), ".json"))
    yield from described("calibration", {name: PLAIN[type(value).__name__] for name, value in content.items()})


def _marks() -> Iterator[str]:
    yield "| method | numbers, with what stands where nothing is said |\n|---|---|"
    for method, numbers in NUMBERS.items():
        told = ", ".join(f"`{name}`" + ("" if value is None else f" = {value}") for name, value in numbers.items())
        yield f"| `{method}` | {told} |"


def _sections() -> Iterator[str]:
    for name, known in SECTIONS.items():
        yield f"- objects in `{name}`: {', '.join(f'`{each}`' for each in known)}"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "results": _results,
    "record": _record,
    "environment": lambda: listed("environment", environment()),
    "plan": _plan,
    "samples": samples,
    "mark": lambda: described("mark", {name: PLAIN[kind.__name__] for name, kind in MARK.items()}),
    "methods": _marks,
    "calibration": _calibration,
    "ring": lambda: listed("ring", [each.name for each in fields(Entry)]),
    "evidence": lambda: listed("evidence", NAMES),
    "sections": _sections,
}
