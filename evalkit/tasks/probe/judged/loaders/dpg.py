"""DPG-Bench and DSG-1k: a table of questions with the numbers of those that must hold first.

Sources: TencentQQGYLab/ELLA 3c228f1, dpg_bench/compute_dpg_bench.py, which passes over the table's first row;
j-min/DSG 7330119, dsg/data_utils.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.tasks.probe.judged.items import grouped, rows_of

FILE, DSG = "dpg_bench/dpg_bench.csv", "dsg/data/dsg-1k-anns.csv"


def items(folder: Path) -> list[dict[str, Any]]:
    """An item for each prompt: questions in order, the places of their parents, their categories, and those with hyphens."""
    return _grouped(folder / FILE, skip=1)


def dsg_items(folder: Path) -> list[dict[str, Any]]:
    """The same of DSG-1k, with the `source` of each prompt."""
    found = _grouped(folder / DSG, skip=0)
    return [{**each, "source": re.sub(r"_?\d+$", "", str(each["item_id"]))} for each in found]


def _grouped(path: Path, skip: int) -> list[dict[str, Any]]:
    rows = rows_of(path)
    try:
        return [_item(group["rows"]) for group in grouped(rows[skip:], "item_id")]
    except DAMAGED as error:
        raise EvalkitError(f"{path} lacks {error}. Give the official table") from None


def _item(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    place = {int(row["proposition_id"]): i for i, row in enumerate(rows)}
    above = _above(rows)
    names = [str(row["tuple"]).split("(")[0].strip() for row in rows]
    return {
        "item_id": rows[0]["item_id"],
        "text": rows[0]["text"],
        "questions": [row["question_natural_language"] for row in rows],
        "parents": [[place[each] for each in ids if each in place and each != 0] for ids in above],
        "categories": [name.split("-")[0].strip() for name in names],
        "details": [name if "-" in name else "" for name in names],
    }


def _above(rows: Sequence[dict[str, Any]]) -> list[list[int]]:
    """The numbers of each question's parents; of none where one cell is broken, as officially."""
    try:
        return [[int(each) for each in str(row["dependency"]).split(",")] for row in rows]
    except ValueError:
        return [[] for _ in rows]
