"""Parsers of editing benchmarks as their official code has them, faults included; `official` lists all."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from evalkit.errors import DAMAGED
from evalkit.jsonio import loose_json
from evalkit.judges.parse import NoAnswer

KrisWay = Literal["prefix", "knowledge", "plain"]
_RISE = r"\*?\*?Final {}\*?\*?:?\s*([\d*\s,\n]*)"
_VIE_MARK = "||V^=^V||"
_TEN = "(10|[1-9])"
_OUT_OF_TEN = (
    rf"score\s*['\"]?\s*[:：]\s*{_TEN}\b",
    rf"rating\s*[:：]\s*{_TEN}\b",
    rf"{_TEN}\s*/\s*10",
    rf"{_TEN}\s+out\s+of\s+10",
    rf"\b{_TEN}\b",
)
_OUT_OF_FIVE = (r"([1-5])\s*/\s*5", r"([1-5])\s+out\s+of\s+5", r"\b([1-5])\b")


def viescore(text: str) -> list[float]:
    """GEdit-Bench's list of scores: JSON between marks or braces, a bare list of two, or a bare number of 0 to 10.

    Source: stepfun-ai/Step1X-Edit 570eba6, GEdit-Bench/viescore/utils.py, with its repair of names and texts that lack
    quotes.
    """
    if text.count(_VIE_MARK) == 2:
        inside = text.split(_VIE_MARK)[1]
    elif "{" in text and "}" in text:
        inside = text[text.find("{") : text.rfind("}") + 1]
    else:
        return _bare_scores(text)
    inside = inside.strip().replace("\n", "")
    for piece, whole in ((inside, True), (_mended(inside), False)):
        try:
            score = loose_json(piece)["score"]
        except DAMAGED:
            continue
        return _real([score] if whole and not isinstance(score, list) else score)
    raise NoAnswer("the JSON object is broken or has no score")


def imgedit_scores(text: str) -> list[int]:
    """ImgEdit's whole numbers: the lines that ": " cuts into exactly two parts, the second of digits alone.

    Source: PKU-YuanGroup/ImgEdit 547185d, Benchmark/Basic/step1_get_avgscore.py.
    """
    parts = (line.strip().split(": ") for line in text.splitlines())
    found = [int(each[1]) for each in parts if len(each) == 2 and each[1].isdigit()]
    if not found:
        raise NoAnswer("no line ends in a colon and a whole number")
    return found


def rise_scores(text: str) -> list[int]:
    """RISEBench's numbers after "Final Score" or "Final Scores". Source: PhoenixZ810/RISEBench 5f22651, gpt_eval.py."""
    for word in ("Score", "Scores"):
        for piece in re.findall(_RISE.format(word), text, re.IGNORECASE):
            if numbers := re.findall(r"\d+", piece):
                return [int(each) for each in numbers]
    raise NoAnswer("there is no final score")


def kris_score(name: str, way: KrisWay = "prefix") -> Callable[[str], float]:
    """KRIS-Bench's score of the key `name`_score: JSON, the key with a colon, n/5, n out of 5, the first lone digit.

    `way`: "prefix" takes the key without a colon as well; "knowledge" wants the colon, and takes a JSON null for the
    answer; "plain" does not look for the key beyond JSON. Source: mercurystraw/Kris_Bench 2114fec, metrics_common.py,
    metrics_knowledge.py, and both metrics_temporal_prediction.py and metrics_multi_element.py.
    """
    key, colon = f"{name}_score", "?" if way == "prefix" else ""
    first = () if way == "plain" else (rf"{name}[_\s]*score\s*[:：]{colon}\s*([1-5])",)

    def parse(text: str) -> float:
        found = _flat_object(text, key)
        if found.get(key) is not None:
            with suppress(*DAMAGED):
                return float(int(found[key]))
        elif found and way == "knowledge":
            raise NoAnswer(f"the {name} score is null")
        for pattern in (*first, *_OUT_OF_FIVE):
            if match := re.search(pattern, text, re.IGNORECASE):
                return float(match.group(1))
        raise NoAnswer(f"there is no {name} score")

    return parse


def kris_dual(text: str) -> dict[str, float | None]:
    """KRIS-Bench's pair of instruction and knowledge scores; one of them may be lost alone.

    Source: mercurystraw/Kris_Bench 2114fec, metrics_knowledge.py, extract_dual_scores.
    """
    names, found = ("instruction", "knowledge"), _flat_object(text, "instruction_score")
    values: dict[str, float | None]
    try:
        given = {name: found.get(f"{name}_score") for name in names} if found else {}
        values = {name: None if value is None else float(int(value)) for name, value in given.items()}
    except DAMAGED:
        values = {}
    if not values:
        pairs = {name: re.search(rf"{name}[_\s]*score\s*[:：]\s*([1-5])", text, re.IGNORECASE) for name in names}
        values = {name: float(match.group(1)) if match else None for name, match in pairs.items()}
    if not any(value is not None for value in values.values()):
        raise NoAnswer("there is neither an instruction nor a knowledge score")
    return values


def wiseedit(text: str) -> float:
    """WiseEdit's score of 1 to 10: of a JSON object, cut to a whole number; else after a word, of ten, the first number.

    A JSON score beyond the scale is no answer, and the text is not searched then. Source: beepkh/WiseEdit 58cadba,
    Evaluation/evaluation_utils.py, extract_score_and_reason_generic.
    """
    block = re.search(r"\{[^{}]*score[^{}]*\}", text, re.DOTALL)
    try:
        value = loose_json(block.group()).get("score") if block else None
        number = None if value is None else int(value)
    except DAMAGED:
        number = None
    if number is not None:
        if not 1 <= number <= 10:
            raise NoAnswer(f"the score {number} is not of 1 to 10")
        return float(number)
    for pattern in _OUT_OF_TEN:
        if match := re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            return float(match.group(1))
    raise NoAnswer("there is no score of 1 to 10")


def _bare_scores(text: str) -> list[float]:
    inside = text[text.find("[") : text.rfind("]") + 1] if "[" in text else ""
    try:
        if re.fullmatch(r"\[\d+, ?\d+\]", inside):
            return _real(loose_json(inside))
        if 0 <= int(text) <= 10:
            return [float(int(text))]
    except DAMAGED:
        pass
    raise NoAnswer("there are no scores")


def _real(scores: Any) -> list[float]:
    """Scores of which the official code can take a root; it stops at others and asks anew."""
    if (
        not isinstance(scores, list)
        or not scores
        or not all(isinstance(each, int | float) and each >= 0 for each in scores)
    ):
        raise NoAnswer("a score is no number from 0")
    return [float(each) for each in scores]


def _mended(text: str) -> str:
    """JSON with quotes around names and around values that are no numbers; a number becomes a list of one."""
    named = re.sub(r"(\w+):", r'"\1":', text)
    return re.sub(r'(".*?"):(.*?)(,|})', lambda m: f"{m.group(1)}: {_value(m.group(2).strip())}{m.group(3)}", named)


def _value(text: str) -> str:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return f"[{text}]"
    return text if text.lower() in ("true", "false", "null") else f'"{text}"'


def _flat_object(text: str, key: str) -> dict[str, Any]:
    """The first JSON object without braces inside that holds `key`; empty where it is broken."""
    block = re.search(r"\{[^{}]*" + key + r"[^{}]*\}", text)
    try:
        return dict(loose_json(block.group())) if block else {}
    except DAMAGED:
        return {}
