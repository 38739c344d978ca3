"""ImagenWorld: folders TASK/ENTRY, each with metadata.json, whose images the judge is shown before the result.

Source: TIGER-AI-Lab/ImagenWorld 4b3b886, eval/scripts/gemini_score.py, process_single_example.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain

TASKS = ("TIG", "TIE", "SRIG", "SRIE", "MRIG", "MRIE")


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """An item for each entry of the tasks that are there."""
    found = [path for task in TASKS for path in sorted((folder / task).glob("*/metadata.json"))]
    if not found:
        raise EvalkitError(f"{folder} holds no TIG/ENTRY/metadata.json. Give the condition sets: --data DIR")
    for path in found:
        task, entry = path.parts[-3:-1]
        try:
            said = parse_json(read_plain(path), path.name)
            text = str(said.get("prompt_refined") or said.get("prompt", ""))
            names = [name for name in said.get("cond_images", []) if (path.parent / name).is_file()]
        except DAMAGED as error:
            raise EvalkitError(f"{path} lacks {error}. Give the official file") from None
        shown = ["Reference images:", *(f"@{task}/{entry}/{name}" for name in names)] if names else []
        told = [f"Prompt: {text}", *shown, "Output Image to be Evaluated:", "@"]
        yield {"task": task, "entry": entry, "text": text, "told": told}
