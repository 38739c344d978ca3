"""Sentences that terminals and pages share about a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.metrics.probe import IMAGES, PROMPTS
from evalkit.text import counted


def coverage_sentence(told: Mapping[str, Any]) -> str:
    """How many of the expected images have a verdict, and by which rules; `told` is the record's part `probe`.

    >>> coverage_sentence({"probed": 2, "expected": 4, "rules": {"threshold": 0.5}, "suite": "world"})
    'Coverage 50 %: 2 of 4 images have a verdict. Rules with threshold 0.5, so this is no score of world.'
    """
    share = 100 * told["probed"] / told["expected"]
    text = f"Coverage {share:.4g} %: {told['probed']:,} of {counted(told['expected'], 'image')} have a verdict."
    if not told["rules"]:
        return text
    numbers = ", ".join(f"{name} {value:g}" for name, value in told["rules"].items())
    return f"{text} Rules with {numbers}, so this is no score of {told['suite']}."


def answer(record: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> str:
    """The overall score with its interval, and the best and the worst task."""
    base = record["probe"]["score"]
    by_name = {str(row["metric"]): row for row in results if row["better"] != "none"}
    tasks = {
        name: row for name, row in by_name.items() if "/" in name and not name.endswith((f"/{IMAGES}", f"/{PROMPTS}"))
    }
    whole = by_name[base]
    bounds = (
        ""
        if whole["low"] is None
        else f" (95\u202f% interval {percent(whole['low'])} to {percent(whole['high'])}\u202f%)"
    )
    said = f"Does what it is told in {percent(whole['value'])}\u202f%{bounds}: {base}"
    if len(tasks) < 2:
        return f"{said}."
    best, worst = (pick(tasks, key=lambda name: tasks[name]["value"]) for pick in (max, min))
    named = [f"{_task(name)} {percent(tasks[name]['value'])}\u202f%" for name in (best, worst)]
    return f"{said}, mean of {len(tasks)} tasks. Best task: {named[0]}; worst: {named[1]}."


def percent(value: Any) -> str:
    """A share in per cent; an em dash where there is none.

    >>> percent(0.9044), percent(None)
    ('90.4', '—')
    """
    return "—" if not isinstance(value, int | float) else f"{100 * value:.1f}"


def _task(name: str) -> str:
    return name.rpartition("/")[2].replace("_", " ")
