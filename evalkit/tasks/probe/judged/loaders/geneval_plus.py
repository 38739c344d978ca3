"""GenEval++: GenEval's metadata with sizes and regions, and the checklist that the official script makes of it.

Source: yejy53/Echo-4o 28f36d7 (Apache-2.0), test_scripts/Eval-gpt-4.1-geneval++.py, metadata_to_explanation.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.tasks.probe.judged.items import json_lines

FILE = "test_scripts/Geneval++.jsonl"


def items(folder: Path) -> list[dict[str, Any]]:
    """The rows with their `line` from 1 and their `checklist`."""
    return [{**row, "line": i, "checklist": checklist(row)} for i, row in enumerate(json_lines(folder / FILE), 1)]


def checklist(row: Mapping[str, Any]) -> str:
    """What the judge is told to look for, letter by letter as officially."""
    lines = [f"- {_wanted(each)}." for each in row.get("include", [])]
    for each in row.get("exclude", []):
        count = each.get("count", 1)
        lines.append(f"- No more than {count - 1} {_plural(each['class'], count)} should appear.")
    return "This image should contain:\n" + "\n".join(lines)


def _wanted(each: Mapping[str, Any]) -> str:
    count = each.get("count", 1)
    color = f"{each['color']}-colored" if each.get("color") else ""
    noun = " ".join(filter(None, [color, each.get("size"), f"{count} {_plural(each['class'], count)}"]))
    region = each.get("region")
    return f"{noun} located in the {region} part of the image" if region else f"{noun} present in the image"


def _plural(name: str, count: int) -> str:
    return name + "s" if count > 1 else name
