"""WISE's official score files: one line a prompt, with the judge's three scores, or one yes or no in WISE Verified.

Source: PKU-YuanGroup/WISE at commit eb51174, WISE_legacy/gpt_eval.py and Calculate.py; vllm_eval.py and
calculate_verified.py. Numbers of prompts, formula and weights are those of the declared suites.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.leaderboard.imports.taken import Taken, of_probe, parsed
from evalkit.protocols.judged import Declaration, load_declaration
from evalkit.tasks.probe.judged.counted import CORRECTED
from evalkit.tasks.probe.judged.formula import evaluate
from evalkit.tasks.probe.judged.summary import summarise
from evalkit.tasks.probe.rows import ProbeRow

SCORES: Mapping[str, tuple[str, ...]] = {
    "wise": ("consistency", "realism", "aesthetic_quality"),
    "wise-verified": ("score",),
}


def take_wise(lines: Sequence[bytes], path: Path, suite: str, model: str, source: str) -> Taken:
    """The scores of a file; prompts that it lacks are lost, so that the overall score needs all 1,000 of them.

    Raises `EvalkitError` for lines that are none of WISE's, and where no category is whole.
    """
    said = load_declaration(suite)
    found = dict(_line(parsed(line, path), path, suite, said) for line in lines if line.strip())
    rows = [
        _row(said, category, str(number), found.get(number))
        for category, (first, last) in said.items.ranges.items()
        for number in range(first, last + 1)
    ]
    scores = [each for each in summarise(said, rows, said.policy) if CORRECTED not in each.name]
    taken = of_probe(suite, rows, scores, model, source)
    if not taken.results:
        raise EvalkitError(f"{path} holds no whole category of {suite}; give the scores of all files together")
    return taken


def _line(said: Any, path: Path, suite: str, declaration: Declaration) -> tuple[int, float]:
    """The number of a prompt and its score by the suite's formula."""
    try:
        number, names = said["prompt_id"], {name: said[name] for name in SCORES[suite]}
    except DAMAGED as error:
        raise EvalkitError(f"{path}: {error} is missing in a line; give a score file of {suite}") from None
    last = max(end for _, end in declaration.items.ranges.values())
    numbers = [number, *names.values()]
    odd = any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers)
    if odd or not 1 <= number <= last or number != int(number):
        raise EvalkitError(f"{path}: {said} is no line of {suite}; give numbers, for the prompts 1 to {last}")
    if not min(names.values()) >= 0 or max(names.values()) > (2 if suite == "wise" else 1):
        raise EvalkitError(f"{path}: a score of prompt {number} is off its scale; give a score file of {suite}")
    return int(number), float(evaluate(declaration.scores[0].formula, names))


def _row(said: Declaration, category: str, number: str, value: float | None) -> ProbeRow:
    state = "missing" if value is None else "answered"
    read = {"values": {} if value is None else {said.scores[0].name: value}, "state": state}
    return ProbeRow("", number, 0, category, value, state, details={"official": read, CORRECTED: read})
