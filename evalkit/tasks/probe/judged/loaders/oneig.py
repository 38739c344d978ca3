"""OneIG-Bench's alignment: questions and what they depend on lie as JSON in JSON, prompts in a table.

Source: OneIG-Bench/OneIG-Benchmark 41b4983, scripts/alignment/alignment_score.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.jsonio import parse_json
from evalkit.tasks.probe.judged.items import rows_of

KINDS = {"anime": "Anime_Stylization", "human": "Portrait", "object": "General_Object"}


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """An item for each image: its questions in order and the places of those that they depend on."""
    prompts = {(row["category"], row["id"]): row["prompt_en"] for row in rows_of(folder / "OneIG-Bench.csv")}
    for kind, category in KINDS.items():
        for row in rows_of(folder / f"scripts/alignment/Q_D/{kind}.json"):
            asked, above = (_numbered(row[name]) for name in ("question", "dependency"))
            place = {number: i for i, number in enumerate(asked)}
            parents = [[place[int(each)] for each in above.get(n, []) if int(each) in place] for n in asked]
            text = prompts.get((category, str(row["key"])), "")
            yield {"kind": kind, "key": row["key"], "text": text, "questions": list(asked.values()), "parents": parents}


def _numbered(value: Any) -> dict[int, Any]:
    found = parse_json(value.encode(), "the question") if isinstance(value, str) else value
    return {int(number): each for number, each in found.items()}
