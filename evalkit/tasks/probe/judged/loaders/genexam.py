"""GenExam: the list of questions as the official script writes it into its text, and the weights of their points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.tasks.probe.judged.items import json_lines

FILE = "data/annotations/All_Subjects.jsonl"


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows with `questions`, Python's text of the list, and `weights`, which sum to 1."""
    for row in json_lines(folder / FILE):
        points = row["scoring_points"]
        questions, weights = [each["question"] for each in points], [float(each["score"]) for each in points]
        yield {**row, "questions": str(questions), "weights": weights}
