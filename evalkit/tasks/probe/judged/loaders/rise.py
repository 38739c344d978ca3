"""RISEBench: which of the official texts each item is judged with, and which image it is compared with.

Source: PhoenixZ810/RISEBench 5f22651, gpt_eval.py, eval_vanilla.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.judged.items import rows_of

FILE = "data/datav2_total_w_subtask.json"
SPATIAL, LOGICAL = "spatial_reasoning", "logical_reasoning"


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows with the names of their texts, `compared` (an image), and flags for formulas."""
    rows = rows_of(folder / FILE)
    column = any("consistency_free" in row for row in rows)
    for row in rows:
        free, logical = _there(row, "consistency_free"), row.get("category") == LOGICAL
        texts = _logical(row) if logical else _spatial(row) if row.get("category") == SPATIAL else _plain(row)
        flags = {"free": free, "logical": logical, "free_column": column}
        yield {"reference": "", "quality_text": "", "consistency_text": "", **row, **texts, **flags}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    seen = _there(row, "reasoning_img")
    return {
        "consistency_text": "prompt_consist",
        "reasoning_text": "prompt_reasoning_w_input" if seen else "prompt_reasoning",
        "quality_text": "prompt_generation",
        "with_source": seen,
        "compared": row["image"],
    }


def _spatial(row: Mapping[str, Any]) -> dict[str, Any]:
    given, seen = _there(row, "reference_img"), _there(row, "reasoning_img")
    name = "prompt_spatial_ref_img" if given else "prompt_spatial_ref_w_input" if seen else "prompt_spatial_ref"
    return {
        "consistency_text": "prompt_spatial_cons",
        "reasoning_text": name,
        "quality_text": "prompt_spatial_qual",
        "with_source": given or seen,
        "compared": row["reference_img"] if given else row["image"],
    }


def _logical(row: Mapping[str, Any]) -> dict[str, Any]:
    if _there(row, "reference_txt"):
        return {
            "consistency_text": "prompt_logical_cons_ans",
            "reasoning_text": "prompt_logical_txt",
            "reference": row["reference_txt"],
            "with_source": False,
            "compared": row["image"],
        }
    if not _there(row, "reference_img"):
        raise EvalkitError(
            f"{row.get('index')} of RISEBench has neither a text nor an image to compare with. Fetch its files again"
        )
    plain = "reasoning_wo_ins" in row
    return {
        "consistency_text": "prompt_logical_cons",
        "reasoning_text": "prompt_logical_img_wo_q" if plain else "prompt_logical_img",
        "with_source": True,
        "compared": row["reference_img"],
    }


def _there(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    return value is not None and value == value  # a missing cell of a table is nan
