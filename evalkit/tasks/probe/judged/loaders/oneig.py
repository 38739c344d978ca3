"""OneIG-Bench: questions and what they depend on lie as JSON in JSON, prompts and texts in tables.

Source: OneIG-Bench/OneIG-Benchmark 41b4983, scripts/alignment/alignment_score.py, scripts/text/text_score.py,
scripts/style/style_score.py, scripts/reasoning/reasoning_score.py and scripts/diversity/diversity_score.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain
from evalkit.tasks.probe.judged.items import rows_of

KINDS = {"anime": "Anime_Stylization", "human": "Portrait", "object": "General_Object"}
KINDS_ZH = {**KINDS, "multilingualism": "Multilingualism"}
ALL = {"text": "Text_Rendering", "reasoning": "Knowledge_Reasoning"}
STYLES = "scripts/style/style.csv"
EN, ZH = "OneIG-Bench.csv", "OneIG-Bench-ZH.csv"


def _aligned(folder: Path, table: str, column: str, kinds: dict[str, str], ending: str) -> Iterator[dict[str, Any]]:
    """An item for each image: its questions in order and the places of those that they depend on."""
    prompts = {(row["category"], row["id"]): row[column] for row in rows_of(folder / table)}
    for kind, category in kinds.items():
        for row in rows_of(folder / f"scripts/alignment/Q_D/{kind}{ending}.json"):
            asked, above = (_numbered(row[name]) for name in ("question", "dependency"))
            place = {number: i for i, number in enumerate(asked)}
            parents = [[place[int(each)] for each in above.get(n, []) if int(each) in place] for n in asked]
            text = prompts.get((category, str(row["key"])), "")
            yield {"kind": kind, "key": row["key"], "text": text, "questions": list(asked.values()), "parents": parents}


def _texts(folder: Path, table: str, column: str) -> Iterator[dict[str, Any]]:
    """An item for each image that shows a text, with how many `words` that has; these decide how much may be read."""
    for row in rows_of(folder / table):
        wanted = row["text_content"]
        yield {"kind": "text", "key": row["id"], "text": row[column], "wanted": wanted, "count": len(wanted.split())}


def _told(folder: Path, table: str, column: str, kinds: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The prompts of some kinds, as they stand in the table."""
    named = {category: kind for kind, category in kinds.items()}
    for row in rows_of(folder / table):
        if row["category"] in named:
            yield {"kind": named[row["category"]], "key": row["id"], "text": row[column]}


def _styles(folder: Path, table: str, column: str) -> Iterator[dict[str, Any]]:
    """An item for each anime prompt that names a style."""
    styles = {row["id"]: (row["class"] or "").lower().replace(" ", "_") for row in rows_of(folder / STYLES)}
    for row in _told(folder, table, column, {"anime": KINDS["anime"]}):
        if style := styles.get(row["key"]):
            yield {**row, "style": style}


def _answers(folder: Path, table: str, column: str, ending: str) -> Iterator[dict[str, Any]]:
    """An item for each prompt that asks for knowledge, with the true answer in words."""
    path = folder / f"scripts/reasoning/gt_answer{ending}.json"
    answers = parse_json(read_plain(path), path.name)
    for row in _told(folder, table, column, {"reasoning": ALL["reasoning"]}):
        yield {**row, "answer": answers[row["key"]]}


def _numbered(value: Any) -> dict[int, Any]:
    found = parse_json(value.encode(), "the question") if isinstance(value, str) else value
    return {int(number): each for number, each in found.items()}


items = partial(_aligned, table=EN, column="prompt_en", kinds=KINDS, ending="")
items_zh = partial(_aligned, table=ZH, column="prompt_cn", kinds=KINDS_ZH, ending="_zh")
styles_en, styles_zh = partial(_styles, table=EN, column="prompt_en"), partial(_styles, table=ZH, column="prompt_cn")
answers_en = partial(_answers, table=EN, column="prompt_en", ending="")
answers_zh = partial(_answers, table=ZH, column="prompt_cn", ending="_zh")
prompts_en = partial(_told, table=EN, column="prompt_en", kinds={**KINDS, **ALL})
prompts_zh = partial(_told, table=ZH, column="prompt_cn", kinds={**KINDS_ZH, **ALL})
text_en = partial(_texts, table="scripts/text/text_content.csv", column="prompt_en")
text_zh = partial(_texts, table="scripts/text/text_content_zh.csv", column="prompt_cn")
