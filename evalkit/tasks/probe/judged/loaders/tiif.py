"""TIIF-Bench's testmini: questions and descriptions lie in files of the same order, one of each for every type."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.judged.items import json_lines

QUESTIONS, PROMPTS = "data/testmini_eval_prompts", "data/testmini_prompts"


def _items(folder: Path, length: str) -> Iterator[dict[str, Any]]:
    paths = sorted((folder / QUESTIONS).glob("*_eval_prompts.jsonl"))
    if not paths:
        raise EvalkitError(f"{folder} holds no {QUESTIONS}. Give the folder of TIIF-Bench's files: --data DIR")
    for path in paths:
        asked = json_lines(path)
        told = json_lines(folder / PROMPTS / path.name.replace("_eval_prompts", "_prompts"))
        for place, (row, prompt) in enumerate(zip(asked, told, strict=False)):
            questions = "\n".join(str(each).strip() for each in row["yn_question_list"])
            answers = [str(each).lower() for each in row["yn_answer_list"]]
            yield {
                "type": str(row["type"]),
                "length": length,
                "place_in_file": place,
                "questions": questions,
                "yn_answer_list": answers,
                "text": str(prompt[f"{length}_description"]),
            }


short = partial(_items, length="short")
long = partial(_items, length="long")
