"""Sentences that terminals and pages share about a probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.metrics.probe import IMAGES, PROMPTS
from evalkit.tasks.probe.editing.measure import NETWORKS
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
    numbers = ", ".join(
        f"{name} {value if isinstance(value, str) else format(value, 'g')}" for name, value in told["rules"].items()
    )
    return f"{text} Rules with {numbers}, so this is no score of {told['suite']}."


def answer(record: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> str:
    """The overall score with its interval, and the best and the worst task."""
    told = record["probe"]
    base, high = told["score"], _top(told, told["score"])
    by_name = {str(row["metric"]): row for row in results if row["better"] != "none"}
    tasks = {name: row for name, row in by_name.items() if _is_task(told, name) and row["value"] is not None}
    whole = by_name[base]
    if whole["value"] is None:
        return f"{base} has no score: {whole['reason']}."
    ends = [percent(whole[key], high) + unit(high) for key in ("value", "low", "high")]
    bounds = "" if whole["low"] is None else f" (95\u202f% interval {percent(whole['low'], high)} to {ends[2]})"
    said = f"Does what it is told in {ends[0]}{bounds}: {base}" if high == 1 else f"{base}: {ends[0]}{bounds}"
    if len(tasks) < 2:
        return f"{said}."
    if len({row["value"] for row in tasks.values()}) == 1:
        return f"{said}, and so in each of {len(tasks)} tasks."
    best, worst = (pick(tasks, key=lambda name: tasks[name]["value"]) for pick in (max, min))
    named = [f"{_task(name)} {percent(tasks[name]['value'], high)}{unit(high)}" for name in (best, worst)]
    return f"{said}, over {len(tasks)} tasks. Best task: {named[0]}; worst: {named[1]}."


def notes(told: Mapping[str, Any]) -> list[str]:
    """What a reader must know of lost replies: counts, bounds of the headline, warnings."""
    said = []
    if lost := told.get("lost"):
        listed = ", ".join(f"{n:,} {state}" for state, n in sorted(lost.items()))
        said.append(f"Replies that give no score: {listed}.")
    if single := told.get("lost_answers"):
        listed = ", ".join(f"{n:,} {state}" for state, n in sorted(single.items()))
        said.append(f"Answers that scored images lack: {listed}.")
    if (bounds := told.get("bounds", {}).get(told["score"])) is not None:
        high = _top(told, told["score"])
        ends = [percent(bound, high) + unit(high) for bound in bounds]
        said.append(f"With every lost image or answer worst the score is {ends[0]}, with every one best {ends[1]}.")
    edits = told.get("evidence", {}).get("edits")
    if edits and "side" in edits and (absent := [name for name in NETWORKS if name not in edits]):
        said.append(f"Not measured, since weights are missing: {', '.join(absent)} (evalkit weights list).")
    said += [f"{name}: {note}." for name, note in told.get("notes", {}).items() if "/" not in name.partition("@")[2]]
    return said


def percent(value: Any, high: float | None = 1) -> str:
    """A share in per cent, and a score of another scale as it is; an em dash where there is none.

    >>> percent(0.9044), percent(None), percent(6.969, 10)
    ('90.4', '—', '6.97')
    """
    if not isinstance(value, int | float):
        return "—"
    return f"{100 * value:.1f}" if high == 1 else f"{value:.3g}"


def unit(high: float | None) -> str:
    """What follows a score: the sign of a share, or the end of its scale."""
    if high == 1:
        return "\u202f%"
    return "" if high is None else f" of {high:g}"


def _top(told: Mapping[str, Any], name: str) -> float | None:
    """The upper end of a score's scale; 1 where the record says none."""
    scales: dict[str, float | None] = dict(told.get("scales", {}))
    return scales.get(name, 1)


def _is_task(told: Mapping[str, Any], name: str) -> bool:
    if "tasks" in told:
        return name in told["tasks"]
    return "/" in name and not name.endswith((f"/{IMAGES}", f"/{PROMPTS}"))


def _task(name: str) -> str:
    return name.rpartition("/")[2].replace("_", " ")
