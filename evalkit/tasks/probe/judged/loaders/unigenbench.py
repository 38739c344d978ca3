"""UniGenBench: test points of each prompt, and what the official script tells the judge about each of them.

Source: CodeGoat24/UniGenBench 49d0bce, eval/src/eval_common.py, build_system_prompt and its dictionaries.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, BadData, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.tasks.probe.judged.items import rows_of

SCRIPT = "eval/src/eval_common.py"
# language: (columns of the table, keys of their JSON, the dictionary, headings of both lists)
_WORDS = {
    "en": (
        "Testpoints",
        "Testpoint Description",
        "EXPLANATION_DICT_EN",
        "Checkpoints Defination",
        "Checkpoints Description",
    ),
    "zh": ("考点", "考点对应描述", "EXPLANATION_DICT_ZH", "考点说明", "考点描述说明"),
}


def _items(folder: Path, table: str, language: str) -> Iterator[dict[str, Any]]:
    points_key, told_key, dictionary, *headings = _WORDS[language]
    meanings = _dictionary(folder / SCRIPT, dictionary)
    for row in rows_of(folder / f"data/test_prompts_{table}.csv"):
        try:
            said = parse_json(str(row[f"sub_dims_{language}"]).encode(), "the test points")
        except BadData:
            continue  # row 509 of en_long, at which the official script stops
        try:
            points, told = list(said[points_key]), list(said[told_key])
            texts = (_listed(headings[0], points, [meanings[p] for p in points]), _listed(headings[1], points, told))
            yield {"index": row["index"], "text": row[f"prompt_{language}"], **_of(points), **_told(points, *texts)}
        except DAMAGED as error:
            raise EvalkitError(
                f"the test points of prompt {row.get('index')} lack {error}. Give the official files"
            ) from None


def _of(points: list[str]) -> dict[str, Any]:
    """What a test point counts for: the part before the first hyphen, and the whole where there is one."""
    return {
        "testpoints": points,
        "primaries": [point.split("-", 1)[0].strip() for point in points],
        "details": [point if "-" in point else "" for point in points],
    }


def _told(points: list[str], meanings: str, descriptions: str) -> dict[str, Any]:
    return {"listed": str(points), "explanation": meanings, "test_explanation": descriptions}


def _listed(heading: str, points: list[str], texts: list[str]) -> str:
    lines = "".join(f"\n{point}: {text}" for point, text in zip(points, texts, strict=True))
    return f"{heading}:\u300c{lines}\n\u300d"


def _dictionary(path: Path, name: str) -> Mapping[str, str]:
    """The dictionary `name` of the official script. Raises `EvalkitError` where there is none."""
    try:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                return dict(ast.literal_eval(node.value))
    except (OSError, SyntaxError, *DAMAGED):
        pass
    raise EvalkitError(f"{path} has no {name}. Type evalkit probes fetch unigenbench-en, or give --data DIR")


en = partial(_items, table="en", language="en")
zh = partial(_items, table="zh", language="zh")
en_long = partial(_items, table="en_long", language="en")
zh_long = partial(_items, table="zh_long", language="zh")
