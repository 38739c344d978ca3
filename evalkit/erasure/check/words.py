"""Sentences that terminals and pages share about a check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.metrics import erasure as declared
from evalkit.text import interval_text, number_text

MEANING = {
    "erased": "nothing that was tried brings the concept back, and the rest is as before",
    "suppressed": "asked for it the model does not draw it, but true codes or a little training bring it back",
    "leaking": "other words for the concept still bring it",
    "over-erased": "the concept is gone, and other concepts went with it",
    "broken": "the model draws hardly anything any more, so that the concept is gone means nothing",
    "not erased": "asked for the concept the model draws it",
    "undecided": "there are too few prompts for a verdict",
}


def headline(record: Mapping[str, Any]) -> str:
    """The verdict on an eraser with its score."""
    told = record["erasure"]
    score = "no score" if told["score"] is None else f"score {number_text(told['score'])}"
    word = told["verdict"]["word"]
    return f"{record['model']['name']} on {told['concept']}: {word}, {score} ({MEANING[word]})."


def vector_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """One line for each part of the vector, with its interval and its gate."""
    for metric in declared.VECTOR:
        value = told["vector"][metric.name]
        if value is None:
            yield f"  {metric.label}: not measured"
            continue
        low, high = told["bounds"][metric.name]
        interval = interval_text(low, high) if low is not None and high is not None else ""
        held = told["verdict"]["gates"].get(metric.name)
        gate = "" if held is None else " (gate passed)" if held else " (gate not passed)"
        between = f", 95 % interval {interval}" if interval else ""
        yield f"  {metric.label}: {number_text(value)}{between}{gate}"


def percent(value: float) -> str:
    """A share in words.

    >>> percent(0.254), percent(0.0)
    ('25 %', '0 %')
    """
    return f"{100 * value:.0f} %"
