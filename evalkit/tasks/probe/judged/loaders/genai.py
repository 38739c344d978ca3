"""GenAI-Bench: prompts by number in one file, and the numbers of each skill in another.

Source: the data of BaiqiL/GenAI-Bench-1600, as in open-compass/GenEditEvalKit 103b283.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain
from evalkit.tasks.probe.judged.items import rows_of

FOLDER = "benchmarks/genai/eval_prompts/genai1600"
LEVELS = ("basic", "advanced")


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """The prompts that have a skill, with their `level` and their other `skills`."""
    path = folder / FOLDER / "genai_skills.json"
    try:
        skills = {name: set(map(int, ids)) for name, ids in parse_json(read_plain(path), path.name).items()}
        for row in rows_of(folder / FOLDER / "genai_image.json"):
            number = int(row["id"])
            having = [name for name, ids in skills.items() if number in ids]
            if having:
                level = next((name for name in LEVELS if name in having), "other")
                rest = [name for name in having if name not in LEVELS]
                yield {"id": row["id"], "index": number, "prompt": row["prompt"], "level": level, "skills": rest}
    except (OSError, *DAMAGED) as error:
        raise EvalkitError(f"{path.parent} does not hold GenAI-Bench ({error}). Give the official files") from None
