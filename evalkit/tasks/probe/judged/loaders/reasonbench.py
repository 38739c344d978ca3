"""T2I-ReasonBench: for each prompt its lists of criteria, as the official script writes them into its questions.

Source: KaiyueSun98/T2I-ReasonBench efc1d20, evaluation/Qwen2.5-VL/eval_*.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.tasks.probe.judged.items import rows_of


def _items(folder: Path, kind: str, file: str, main: str) -> Iterator[dict[str, Any]]:
    path = folder / f"deepseek_evaluation_qs/evaluation_{file}.json"
    try:
        for row in rows_of(path):
            lists = {"": row[main], "_quality": row["quality_evaluation"]}
            lists["_detail"] = row.get("other_details_evaluation") or {}
            asked = {f"asked{part}": str(dict(found)) for part, found in lists.items()}
            counts = {f"criteria{part}": _count(found) for part, found in lists.items()}
            known = {
                "id": int(row["id"]),
                "prompt": str(row["prompt"]),
                "kind": kind,
                "detailed": bool(lists["_detail"]),
            }
            yield {**known, **asked, **counts, "script": f"evaluation/Qwen2.5-VL/eval_{file}.py"}
    except DAMAGED as error:
        raise EvalkitError(f"{path} lacks {error}. Give the official file") from None


def _count(criteria: Mapping[str, str]) -> int:
    """How many questions a list holds; q1 stands beside c1."""
    return sum(name.startswith("q") for name in criteria)


idiom = partial(_items, kind="idiom", file="idiom", main="reason_evaluation")
textual = partial(_items, kind="textual", file="textual_image", main="reason_evaluation")
entity = partial(_items, kind="entity", file="entity", main="entity_evaluation")
scientific = partial(_items, kind="scientific", file="scientific", main="scientific_evaluation")
