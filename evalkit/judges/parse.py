"""Finding the answer in what a judge wrote: JSON in fences or in prose, scores by regular expressions, yes and no.

Every function takes the text of a reply and raises `NoAnswer` with what is missing; nothing is guessed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from evalkit.errors import BadData
from evalkit.jsonio import parse_json

_FENCE = re.compile(r"```[ \t]*[\w+-]*[ \t]*\r?\n?(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_YES_NO = re.compile(r"[\s\"'`*_(\[{.>-]*(yes|no)\b", re.IGNORECASE)
_LINE_SCORE = re.compile(r"[:：][\s*_`]{0,12}(\d{1,3}(?:\.\d{1,3})?)(?:\s{0,3}/\s{0,3}\d{1,3})?[\s*_`.]{0,12}$")
_STARTS = 64  # openings of objects that are tried in one text


class NoAnswer(Exception):
    """The text holds no answer of the form that was asked for."""


@dataclass(frozen=True)
class Scale:
    """Scores from `low` to `high`; `whole` ones are integers."""

    low: float
    high: float
    whole: bool = True

    def check(self, value: object, name: str) -> float:
        """The score as a float. Raises `NoAnswer` for what is no number of the scale."""
        if isinstance(value, str):
            value = _number(value, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise NoAnswer(f"{name} is no number")
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            raise NoAnswer(f"{name} is {value}, outside of {self.low:g} to {self.high:g}")
        return float(value)


def without_thoughts(text: str) -> str:
    """The text after what a model thinks aloud; nothing where it never stops thinking.

    >>> without_thoughts("<think>hm</think> yes")
    'yes'
    """
    text = _THOUGHT.sub("", text)
    lowered = text.lower()
    if (end := lowered.rfind("</think>")) >= 0:  # the opening tag is often a part of the prompt
        text = text[end + len("</think>") :]
    elif "<think>" in lowered:
        text = text[: lowered.find("<think>")]
    return text.strip()


def json_object(text: str) -> dict[str, Any]:
    """The first JSON object in a text: the whole of it, in a fence, or in prose (Python's quotes are taken as well).

    >>> json_object('Sure! ```json\\n{"score": 4}\\n``` Anything else?')
    {'score': 4}
    """
    text = without_thoughts(text)
    for piece in (text, *(match.group(1) for match in _FENCE.finditer(text))):
        if isinstance(found := _loaded(piece.strip()), dict):
            return found
    for found in _objects_in(text):
        return found
    raise NoAnswer("there is no JSON object in the text")


def json_scores(text: str, scales: Mapping[str, Scale]) -> dict[str, float]:
    """The scores of a JSON object by name; names are compared without case, blanks, hyphens and underscores."""
    found = {_bare(str(name)): value for name, value in json_object(text).items()}
    missing = [name for name in scales if _bare(name) not in found]
    if missing:
        raise NoAnswer(f"the JSON object has no {missing[0]!r}")
    return {name: scale.check(found[_bare(name)], name) for name, scale in scales.items()}


def line_scores(text: str, scales: Mapping[str, Scale]) -> dict[str, float]:
    """Scores of lines such as "Consistency: 2": bold type, either colon, "2/5" and a bullet are taken.

    >>> line_scores("**Realism:** 1\\nConsistency：2/2", {"Consistency": Scale(0, 2), "Realism": Scale(0, 2)})
    {'Consistency': 2.0, 'Realism': 1.0}
    """
    text = without_thoughts(text)
    return {name: scale.check(_on_line(text, name), name) for name, scale in scales.items()}


def pattern_score(text: str, pattern: str, scale: Scale, name: str = "the score") -> float:
    """The score in the first group of `pattern` where it matches last (a verdict follows its reasons)."""
    matches = re.findall(pattern, without_thoughts(text))
    if not matches:
        raise NoAnswer(f"{name} is not in the text")
    return scale.check(matches[-1], name)


def yes_or_no(text: str) -> bool:
    """Whether the text opens with yes; `NoAnswer` where it opens with neither yes nor no.

    >>> yes_or_no("**Yes**, there is one."), yes_or_no("no")
    (True, False)
    """
    match = _YES_NO.match(without_thoughts(text))
    if match is None:
        raise NoAnswer("the text opens with neither yes nor no")
    return match.group(1).lower() == "yes"


def yes_or_no_lines(text: str) -> list[str]:
    """The answer of each line that opens with yes or no, behind any number, bullet or bold type.

    >>> yes_or_no_lines("1. **Yes**, a dog.\\n2. no")
    ['yes', 'no']
    """
    lines = (re.sub(r"^\W*\d{1,3}[.):]", "", line) for line in without_thoughts(text).splitlines())
    found = [match.group(1).lower() for line in lines if (match := _YES_NO.match(line.strip()))]
    if not found:
        raise NoAnswer("no line opens with yes or no")
    return found


def listed_scores(text: str, scale: Scale, length: int, name: str = "") -> list[float]:
    """`length` scores: the list `name` of a JSON object, or without a name those of lines such as "Realism: 4/5".

    >>> listed_scores("**Realism**: 4/5\\nNote: fine\\nDetail: 3", Scale(1, 5), 2)
    [4.0, 3.0]
    """
    if name:
        found = json_object(text).get(name)
        values = list(found) if isinstance(found, list) else []
    else:
        lines = without_thoughts(text).splitlines()
        values = [match.group(1) for line in lines if (match := _LINE_SCORE.search(line))]
    if len(values) != length:
        raise NoAnswer(f"there are {len(values)} scores, not {length}")
    return [scale.check(value, f"score {place}") for place, value in enumerate(values, 1)]


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise NoAnswer(f"{name} is {text[:40]!r}, no number") from None


def _on_line(text: str, name: str) -> str:
    words = r"[ \t_-]+".join(re.escape(word) for word in name.split())
    before = r"^[^\w\n]{0,12}(?:\d{1,3}[.)][^\w\n]{0,6})?_{0,3}"
    score = r"[ \t*_`]{0,12}[:：][ \t*_`]{0,12}(-?\d{1,9}(?:\.\d{1,9})?)(?:[ \t]{0,3}/[ \t]{0,3}\d{1,3})?"
    found = re.search(rf"(?im){before}{words}{score}[ \t*_`.]{{0,12}}\r?$", text)
    if found is None:
        raise NoAnswer(f"there is no line with {name!r} and its score")
    return found.group(1)


def _objects_in(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    for match, _ in zip(re.finditer(r"\{", text), range(_STARTS), strict=False):
        before = text[: match.start()]
        if before.count("{") > before.count("}"):  # inside of an object that is broken: a part is not the answer
            continue
        try:
            found, _end = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            yield found
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end and isinstance(found := _loaded(text[start : end + 1]), dict):
        yield found


def _loaded(piece: str) -> Any:
    """The value of JSON text, or of a Python literal; None for anything else."""
    try:
        return parse_json(piece, "the reply", surrogates=True)
    except BadData:
        pass
    if not piece.startswith("{") or len(piece) > 20_000:
        return None
    try:
        return ast.literal_eval(piece)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _bare(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).lower()
