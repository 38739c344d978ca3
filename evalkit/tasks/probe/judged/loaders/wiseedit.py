"""WiseEdit: tables of edits in two languages; which scores each task has, and what the judge is shown in which order.

Source: beepkh/WiseEdit 58cadba, run_eval.py and Evaluation/evaluation_utils.py, build_message_for_metric.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.protocols.judged.declaration import TextRef
from evalkit.tasks.probe.judged.items import rows_of
from evalkit.tasks.probe.judged.texts import filled, official_text

SCRIPT = "Evaluation/evaluation_utils.py"
BASIC = ("WiseEdit/Imagination", "WiseEdit/Awareness", "WiseEdit/Interpretation")
LANGUAGES = ("cn", "en")  # of the samples 0 and 1


def _items(folder: Path, roots: Sequence[str]) -> Iterator[dict[str, Any]]:
    tables = [
        path for root in roots for path in sorted((folder / root).glob("*/*.csv")) if path.stem == path.parent.name
    ]
    if not tables:
        raise EvalkitError(f"{folder} holds no {roots[0]}. Give the folder of WiseEdit-Benchmark: --data DIR")
    hint = official_text(folder, TextRef(SCRIPT, "build_message_for_metric", "Hint (important"), {})
    for path in tables:
        for row in rows_of(path):
            try:
                yield _item(row, path.stem, hint)
            except DAMAGED as error:
                raise EvalkitError(f"{path} lacks {error}. Give the official table") from None


def _item(row: Mapping[str, str], subset: str, hint: str) -> dict[str, Any]:
    task = "Complex" if "Complex" in subset else subset.rpartition("_")[0]
    inputs = [f"@{row[f'input_{n}'].strip()}" for n in range(1, 10) if (row.get(f"input_{n}") or "").strip()]
    inputs = inputs[: int(subset.rpartition("_")[2])]
    many = len(inputs) > 1
    shown = [
        part for n, name in enumerate(inputs, 1) for part in (f"Input image #{n}:" if many else "Input image:", name)
    ]
    shown += ["Edited image:", "@"]
    told = filled(hint, {"{hint}": row["hint"].strip()}) if (row.get("hint") or "").strip() else ""
    known = [
        *shown,
        *([told] if told else []),
        *(p for name in _references(row.get("ref")) for p in ("Reference image:", f"@{name}")),
    ]
    asked = {"has_knowledge": task != "Imagination", "has_fusion": task in ("Imagination", "Complex")}
    return {
        "idx": row["idx"].strip(),
        "subset": subset,
        "task": task,
        "instruction": row["prompt"],
        "instruction_cn": row.get("promptcn") or "",
        "ending": "multi" if many else "single",
        "shown": shown,
        "known": known,
        "alone": ["Image:", "@"],
        **asked,
        "slots": [[f"{language}/{task}/{name}" for name in _names(**asked)] for language in LANGUAGES],
    }


def _names(*, has_knowledge: bool, has_fusion: bool) -> list[str]:
    return ["DP", "IF", "VQ", *(["KF"] if has_knowledge else []), *(["CF"] if has_fusion else [])]


def _references(cell: str | None) -> list[str]:
    """The files of a cell: a JSON list or text, or names between | or ;."""
    text = (cell or "").strip()
    try:
        found = json.loads(text) if text else []
        names = found if isinstance(found, list) else [found]
    except ValueError:
        names = re.split(r"\||;", text)
    return [str(name).strip() for name in names if str(name).strip()]


basic = partial(_items, roots=BASIC)
complex_ = partial(_items, roots=("WiseEdit-Complex",))
