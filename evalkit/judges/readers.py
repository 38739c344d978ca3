"""Readers of judges' replies by plain data, as a suite's file names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.judges.official import PARSERS
from evalkit.judges.official_lists import tagged_scores
from evalkit.judges.outcome import Reader, text_reader
from evalkit.judges.parse import (
    Scale,
    json_scores,
    line_scores,
    listed_scores,
    pattern_score,
    without_thoughts,
    yes_or_no,
    yes_or_no_lines,
)
from evalkit.judges.probability import probability_reader

KINDS = (
    "json",
    "json-score",
    "lines",
    "pattern",
    "yes-no",
    "yes-no-lines",
    "numbers",
    "line-numbers",
    "tag-numbers",
    "probability",
    "text",
    "official",
)


def reader_of(spec: Mapping[str, Any]) -> Reader:
    """The reader that a table describes; `kind` is one of `KINDS`.

    json, lines: `scores` = {name: [low, high]} gives a score for each name; `whole` (true) wants integers. json-score: the
    score `name` of a JSON object on a `scale`. pattern: `pattern`, a regular expression with one group, and `scale`.
    probability: `answers`, a list. yes-no: true or false. yes-no-lines: "yes" or "no" of each line that holds an answer.
    text: the reply without thoughts. numbers: the list `name` of a JSON object, line-numbers: the numbers of lines such
    as "name: 4"; `length` of them on a `scale`. official: `parser`, one of `official.PARSERS`. Raises `EvalkitError` for
    another table.

    >>> from evalkit.judges.reply import RawReply
    >>> reader_of({"kind": "lines", "scores": {"Score": [0, 1]}}).parse(RawReply(text="Score: 1"))
    {'Score': 1.0}
    """
    kind, whole = spec.get("kind"), spec.get("whole", True)
    try:
        if kind in ("json", "lines"):
            scales = {str(name): _scale(ends, whole) for name, ends in dict(spec["scores"]).items()}
            read = json_scores if kind == "json" else line_scores
            return text_reader(lambda text: read(text, scales), cut_is_fine=kind == "json")
        if kind == "json-score":
            key, one = str(spec["name"]), _scale(spec["scale"], whole)
            return text_reader(lambda text: json_scores(text, {key: one})[key], cut_is_fine=True)
        if kind == "pattern":
            pattern, scale = str(spec["pattern"]), _scale(spec["scale"], whole)
            if re.compile(pattern).groups != 1:
                raise ValueError("the pattern has not one group")
            return text_reader(lambda text: pattern_score(text, pattern, scale))
        if kind == "probability":
            return probability_reader([str(answer) for answer in spec["answers"]])
        if kind in ("numbers", "line-numbers"):
            scale, length = _scale(spec["scale"], whole), int(spec["length"])
            name = str(spec["name"]) if kind == "numbers" else ""
            return text_reader(lambda text: listed_scores(text, scale, length, name), cut_is_fine=kind == "numbers")
        if kind == "tag-numbers":
            tag, one = str(spec["name"]), _scale(spec["scale"], whole)
            return text_reader(lambda text: tagged_scores(text, tag, one))
        if kind == "official":
            return text_reader(PARSERS[spec["parser"]])
    except (re.error, *DAMAGED) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise EvalkitError(f"a reader of kind {kind!r} is not complete: {said}. See evalkit.judges.readers") from None
    if kind in _PLAIN:
        return text_reader(_PLAIN[kind])
    raise EvalkitError(f"there is no reader of kind {kind!r}. Give one of {', '.join(KINDS)}")


_PLAIN = {"yes-no": yes_or_no, "yes-no-lines": yes_or_no_lines, "text": without_thoughts}


def _scale(ends: Any, whole: bool) -> Scale:
    low, high = (float(end) for end in ends)
    if not low < high:
        raise ValueError(f"a scale from {low:g} to {high:g}")
    return Scale(low, high, whole)
