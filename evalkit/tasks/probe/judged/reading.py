"""Replies read anew from evidence, by the official parser and by that of evalkit-1, and formulas applied to them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.judges.outcome import outcome
from evalkit.judges.reply import RawReply
from evalkit.protocols.judged.declaration import Declaration
from evalkit.tasks.probe.evidence.record import AskedReply
from evalkit.tasks.probe.judged.calls import Asked, asked_of
from evalkit.tasks.probe.judged.formula import as_number, evaluate, names_in, number_of
from evalkit.tasks.probe.judged.items import JudgedItem

MOST_GUESSES = 10_000  # ways in which the lost answers about one image may be guessed
_FINAL = ("content filter", "refusal", "truncated")  # details that no other parser changes


@dataclass(frozen=True)
class Judged:
    """What one image comes to: `values` and `weights` by score, `parts` (category, value) of single questions.

    `state`: answered, or how the headline was lost, with a `reason`; other values may be there then. `lost`: questions
    that were lost. `split`: what the image counts in several categories, None where it is lost. `guesses`: what each score
    may come to where the official code guesses a lost answer. `lost_by`: the questions of a scored image that were lost, by
    how. `ends`: each score with these worst and best, and its weight then.
    """

    state: str = "answered"
    reason: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    parts: tuple[tuple[str, float], ...] = ()
    lost: int = 0
    split: tuple[tuple[str, float | None], ...] = ()
    guesses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    lost_by: Mapping[str, int] = field(default_factory=dict)
    ends: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


def judge_image(
    said: Declaration, item: JudgedItem, sample: int, replies: Sequence[AskedReply], *, official: bool
) -> Judged:
    """The scores of one image by its replies."""
    by_name = {each.question: each for each in replies}
    names: dict[str, Any] = {**item.metadata, "sample": sample}
    worst, best = (dict(names), dict(names)) if any(call.ends for call in said.calls) else ({}, {})
    lost: list[tuple[str, str]] = []
    guessed: dict[str, tuple[int, int]] = {}
    for asked in asked_of(said.calls, item):
        state, value = _read(asked, by_name.get(asked.name), official=official)
        if state != "answered" and asked.call.guess:
            guessed[asked.name] = asked.call.guess
        elif state != "answered" and not asked.call.optional:
            return _lost(said, names, state, f"{asked.name}: {value}", 1)
        lost += [(state, f"{asked.name}: {value}")] if state != "answered" else []
        value = value if state == "answered" else None
        _add(names, asked, value)
        for place, end in enumerate((worst, best) if worst else ()):
            _add(end, asked, _at_end(asked, value, place))
    if guessed:
        found = _lost(said, names, *lost[0], len(lost))
        return replace(found, guesses=_guesses(said, names, guessed)) if replies else found
    for each in (names, worst, best) if worst else (names,):
        _let(said, each)
    if said.needs and evaluate(said.needs, names) in (None, False, 0):
        state, reason = lost[0] if lost else ("unparsed", f"{said.needs} does not hold")
        return _lost(said, names, state, reason, len(lost))
    weights = _weights(said, names)
    values = {r.name: _score(r.formula, names) if weights.get(r.name) != 0 else math.nan for r in said.scores}
    state, reason = lost[0] if lost and math.isnan(values[said.scores[0].name]) else ("answered", "")
    split = _split(said, names, answered=state == "answered")
    made = Judged(state, reason, values, weights, _parts(said, names), len(lost), split)
    single = Counter(how for how, _ in lost)
    if worst and worst != names and not lost:
        single["unparsed"] += 1  # a part of an answer alone
    if state != "answered" or not single:
        return made
    return replace(made, lost_by=single, ends=_ends(said, worst, best) if worst else {})


def snake(name: str) -> str:
    """A name as formulas write it.

    >>> snake("Aesthetic Quality")
    'aesthetic_quality'
    """
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")


def _read(asked: Asked, reply: AskedReply | None, *, official: bool) -> tuple[str, Any]:
    """(state, value) or (state, how it was lost)."""
    if reply is None:
        return "failed", "it was not asked"
    known = reply.reply
    spec = asked.call.read if official else asked.call.corrected
    if spec["kind"] == "probability" or known.state == "failed" or known.detail in _FINAL:
        return known.state, known.value if known.state == "answered" else known.detail
    found = outcome(known.key, RawReply(text=known.raw.text), asked.reader(official=official))
    return found.state, found.value if found.state == "answered" else found.detail


def _add(names: dict[str, Any], asked: Asked, value: Any) -> None:
    """A value under its call's name (in a list for calls of several elements), and its parts under their own."""
    call = asked.call
    if call.read["kind"] == "probability" and isinstance(value, Mapping):
        value = next(iter(value.values()))
    if call.each:
        names[call.name] = [*(names.get(call.name) or []), value]
        return
    names[call.name] = value
    if isinstance(value, Mapping):
        names |= {snake(name): part for name, part in value.items()}


def _let(said: Declaration, names: dict[str, Any]) -> None:
    """Add the values of the suite's named expressions."""
    for name, formula in said.let.items():
        names[name] = evaluate(formula, names)


def _at_end(asked: Asked, value: Any, place: int) -> Any:
    """The answer, or what the call says stands worst (`place` 0) or best (1) for it or for a part of it that is lost."""
    ends = {name: float(pair[place]) for name, pair in asked.call.ends.items()}
    if not ends or (value is not None and not isinstance(value, Mapping)):
        return value
    if set(ends) == {asked.call.name}:
        return ends[asked.call.name]
    known = {name: part for name, part in (value or {}).items() if part is not None}
    return {**ends, **known}


def _ends(
    said: Declaration, worst: Mapping[str, Any], best: Mapping[str, Any]
) -> dict[str, tuple[float, float, float]]:
    weights = _weights(said, best)
    found = {r.name: [_score(r.formula, names) for names in (worst, best)] for r in said.scores}
    return {
        name: (min(pair), max(pair), weights.get(name, 1.0))
        for name, pair in found.items()
        if not any(map(math.isnan, pair))
    }


def _lost(said: Declaration, names: Mapping[str, Any], state: str, reason: str, count: int) -> Judged:
    weights, split = _weights(said, names), _split(said, names, answered=False)
    return Judged(state, reason, weights=weights, lost=count, split=split)


def _guesses(
    said: Declaration, names: Mapping[str, Any], lost: Mapping[str, tuple[int, int]]
) -> dict[str, tuple[float, ...]]:
    """The values of each score over all that may be guessed for the `lost` calls, each a list of one number."""
    if math.prod(last - first + 1 for first, last in lost.values()) > MOST_GUESSES:
        raise EvalkitError(f"{said.name} guesses in more than {MOST_GUESSES:,} ways. Mend the suite's file")
    made: dict[str, list[float]] = {rule.name: [] for rule in said.scores}
    for found in product(*(range(first, last + 1) for first, last in lost.values())):
        these = {**names, **{name: [float(value)] for name, value in zip(lost, found, strict=True)}}
        _let(said, these)
        for rule in said.scores:
            made[rule.name].append(_score(rule.formula, these))
    return {name: tuple(values) for name, values in made.items() if not any(map(math.isnan, values))}


def _split(said: Declaration, names: Mapping[str, Any], *, answered: bool) -> tuple[tuple[str, float | None], ...]:
    """What the image counts in each of its categories."""
    rule = said.aggregate.each
    if not rule:
        return ()
    categories = evaluate(rule["categories"], names)
    values = evaluate(rule["values"], names) if answered else [None] * len(categories or ())
    if not all(isinstance(each, list | tuple) for each in (categories, values)) or len(categories) != len(values):
        raise EvalkitError(
            f"{rule['values']!r} and {rule['categories']!r} are not lists of one length. Mend the suite's file"
        )
    numbers = (None if value is None else as_number(value, rule["values"]) for value in values)
    return tuple(zip(map(str, categories), numbers, strict=True))


def _weights(said: Declaration, names: Mapping[str, Any]) -> dict[str, float]:
    return {rule.name: number_of(rule.weight, names) for rule in said.scores if rule.weight}


def _parts(said: Declaration, names: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    found: list[tuple[str, float]] = []
    for each in said.parts:
        if each.get("when") and not evaluate(each["when"], names):
            continue
        values, categories = (evaluate(each.get(key, "None"), names) for key in ("values", "categories"))
        if not isinstance(values, list) or not isinstance(categories, list) or len(values) != len(categories):
            raise EvalkitError(f"the parts of {said.name} need two lists of one length. Give the official files")
        found += [(str(n), as_number(value, "values")) for n, value in zip(categories, values, strict=True) if n]
    return tuple(found)


def _score(formula: str, names: Mapping[str, Any]) -> float:
    """The value of a formula; NaN where it needs an answer that was lost alone, or has none."""
    if any(names.get(each) is None for each in names_in(formula)):
        return math.nan
    return number_of(formula, names, none=math.nan)
