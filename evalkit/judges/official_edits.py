"""Parsers of editing benchmarks as their official code has them, faults included; `official` lists all."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from evalkit.errors import DAMAGED, BadData
from evalkit.jsonio import loose_json
from evalkit.judges.parse import NoAnswer

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
    for piece in (inside, _mended(inside)):
        try:
            score = loose_json(piece)["score"]
            return [float(each) for each in (score if isinstance(score, list) else [score])]
        except DAMAGED:
            continue
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


def kris_score(name: str) -> Callable[[str], float]:
    """KRIS-Bench's score of the key `name`_score: JSON, the key with a colon, n/5, n out of 5, the first lone digit.

    Source: mercurystraw/Kris_Bench 2114fec, metrics_common.py.
    """
    key = f"{name}_score"

    def parse(text: str) -> float:
        block = re.search(r"\{[^{}]*" + key + r"[^{}]*\}", text, re.DOTALL)
        if block is not None:
            try:
                return float(int(loose_json(block.group())[key]))
            except DAMAGED:
                pass
        for pattern in (rf"{name}[_\s]*score\s*[:：]?\s*([1-5])", *_OUT_OF_FIVE):
            if match := re.search(pattern, text, re.IGNORECASE | re.DOTALL):
                return float(match.group(1))
        raise NoAnswer(f"there is no {name} score")

    return parse


def kris_dual(text: str) -> dict[str, float | None]:
    """KRIS-Bench's pair of instruction and knowledge scores; one of them may be lost alone."""
    found = _object(text)
    if found:
        values = {name: found.get(f"{name}_score") for name in ("instruction", "knowledge")}
        return {name: None if value is None else float(int(value)) for name, value in values.items()}
    pairs = {
        name: re.search(rf'"?{name}[_\s]*score"?\s*:\s*([1-5])', text, re.IGNORECASE)
        for name in ("instruction", "knowledge")
    }
    if not any(pairs.values()):
        raise NoAnswer("there is neither an instruction nor a knowledge score")
    return {name: float(match.group(1)) if match else None for name, match in pairs.items()}


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
    if re.fullmatch(r"\[\d+, ?\d+\]", inside):
        return [float(each) for each in loose_json(inside)]
    if re.fullmatch(r"\s*\+?\d{1,2}\s*", text) and 0 <= int(text) <= 10:
        return [float(int(text))]
    raise NoAnswer("there are no scores")


def _mended(text: str) -> str:
    """JSON with quotes around names and around values that are no numbers; a number becomes a list of one."""
    named = re.sub(r"(\w+):", r'"\1":', text)
    return re.sub(r'(".*?"):(.*?)(,|})', lambda m: f"{m.group(1)}: {_value(m.group(2).strip())}{m.group(3)}", named)


def _value(text: str) -> str:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return f"[{text}]"
    return text if text.lower() in ("true", "false", "null") else f'"{text}"'


def _object(text: str) -> dict[str, Any]:
    """The JSON object that a reply is or holds; empty where it is broken."""
    depth, start = 0, text.find("{")
    end = len(text)
    for place in range(max(start, 0), len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0 and text[place] == "}":
            end = place + 1
            break
    try:
        found = loose_json(text[start:end]) if start >= 0 else {}
    except BadData:
        return {}
    return found if isinstance(found, dict) else {}
