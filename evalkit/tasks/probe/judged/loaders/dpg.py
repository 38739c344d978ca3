"""DPG-Bench: a table of questions with the numbers of those that must hold first.

Source: TencentQQGYLab/ELLA 3c228f1, dpg_bench/compute_dpg_bench.py, which passes over the table's first row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.tasks.probe.judged.items import grouped, rows_of

FILE = "dpg_bench/dpg_bench.csv"


def items(folder: Path) -> list[dict[str, Any]]:
    """An item for each prompt: questions in order, the places of their parents, their categories, and those with hyphens."""
    rows = rows_of(folder / FILE)
    try:
        return [_item(group["rows"]) for group in grouped(rows[1:], "item_id")]
    except DAMAGED as error:
        raise EvalkitError(f"{folder / FILE} lacks {error}. Give the official table") from None


def _item(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    place = {int(row["proposition_id"]): i for i, row in enumerate(rows)}
    above = [[int(each) for each in str(row["dependency"]).split(",")] for row in rows]
    names = [str(row["tuple"]).split("(")[0].strip() for row in rows]
    return {
        "item_id": rows[0]["item_id"],
        "text": rows[0]["text"],
        "questions": [row["question_natural_language"] for row in rows],
        "parents": [[place[each] for each in ids if each in place and each != 0] for ids in above],
        "categories": [name.split("-")[0].strip() for name in names],
        "details": [name if "-" in name else "" for name in names],
    }
