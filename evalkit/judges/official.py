"""Parsers of benchmarks as their official code has them, faults included; `parse` holds those of evalkit-1.

Each takes the text of a reply and raises `NoAnswer` where the official code finds nothing.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from evalkit.judges.parse import NoAnswer

_WISE = re.compile(r"\*{0,2}(Consistency|Realism|Aesthetic Quality)\*{0,2}\s*:?\s*(\d)", re.IGNORECASE)
_WISE_BARE = re.compile(r"(?m)^\s*([0-2])\s*$")
_WISE_NAMES = ("consistency", "realism", "aesthetic_quality")
_BIT = re.compile(r"\*{0,2}Score\*{0,2}\s*:?\s*([01])\b", re.IGNORECASE)
_BIT_BARE = re.compile(r"(?m)^\s*([01])\s*$")
_RISE = r"\*?\*?Final {}\*?\*?:?\s*([\d*\s,\n]*)"
_VIE_MARK = "||V^=^V||"
_OUT_OF_FIVE = (r"([1-5])\s*/\s*5", r"([1-5])\s+out\s+of\s+5", r"\b([1-5])\b")


def wise_found(text: str) -> dict[str, float]:
    """The scores of WISE's first version that its pattern finds, perhaps not all; a fullwidth colon hides one.

    Source: PKU-YuanGroup/WISE eb51174, WISE_legacy/gpt_eval.py, extract_scores.
    """
    found = {name.lower().replace(" ", "_"): float(digit) for name, digit in _WISE.findall(text)}
    bare = _WISE_BARE.findall(text)
    if found or len(bare) < len(_WISE_NAMES):
        return found
    return {name: float(digit) for name, digit in zip(_WISE_NAMES, bare, strict=False)}


def wise_scores(text: str) -> dict[str, float]:
    """The three scores of WISE's first version; digits beyond 2 pass, as in the official code."""
    found = wise_found(text)
    if missing := [name for name in _WISE_NAMES if name not in found]:
        raise NoAnswer(f"there is no score of {missing[0]}")
    return found


def wise_bit(text: str) -> dict[str, float]:
    """The score of WISE Verified, 0 or 1. Source: the same repository, vllm_eval.py."""
    if match := _BIT.search(text):
        return {"score": float(match.group(1))}
    bare = _BIT_BARE.findall(text)
    if len(bare) != 1:
        raise NoAnswer("there is no score of 0 or 1")
    return {"score": float(bare[0])}


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
            score = json.loads(piece)["score"]
            return [float(each) for each in (score if isinstance(score, list) else [score])]
        except (ValueError, KeyError, TypeError, RecursionError):
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


def tiif_answers(text: str) -> list[str]:
    """TIIF's answers: lines that open with yes or no; others are passed over. Source: A113N-W3I/TIIF-Bench 3aae750."""
    lines = (re.match(r"(yes|no)\b", line.strip(), re.IGNORECASE) for line in text.strip().split("\n"))
    found = [match.group(1).lower() for match in lines if match]
    if not found:
        raise NoAnswer("no line opens with yes or no")
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
                return float(int(json.loads(block.group())[key]))
            except (ValueError, KeyError, TypeError, RecursionError):
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


def geneval_plus(text: str) -> float:
    """GenEval++'s verdict: `correct` of the JSON between the first and the last brace; 1 is right, all else wrong.

    Source: yejy53/Echo-4o 28f36d7, test_scripts/Eval-gpt-4.1-geneval++.py.
    """
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        return float(json.loads(found.group())["correct"] == 1) if found else _nothing("there is no JSON object")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NoAnswer("the JSON object is broken or says not whether it is correct") from None


def is_yes(text: str) -> float:
    """1 for the reply "yes" letter by letter, 0 for anything else (DPG-Bench)."""
    return float(text == "yes")


def is_capital_yes(text: str) -> float:
    """1 for the reply "Yes" letter by letter, 0 for anything else (OneIG-Bench)."""
    return float(text == "Yes")


def corebench(text: str) -> float:
    """1 where a reply holds the word yes, else 0 where it holds no; KlingTeam/T2I-CoReBench ebf7b7a, by Gemini."""
    for word, value in (("yes", 1.0), ("no", 0.0)):
        if re.search(rf"\b{word}\b", text.strip().lower()):
            return value
    raise NoAnswer("there is neither yes nor no")


def genexam(text: str) -> tuple[list[float], float, float, float]:
    """GenExam's answers of 0 or 1, then spelling, readability and logic.

    Source: OpenGVLab/GenExam 6f324dd, run_eval.py; JSON or a Python literal, perhaps in a fence.
    """
    piece = text.split("```json")[-1].split("```")[0]
    try:
        try:
            found = json.loads(piece)
        except (ValueError, RecursionError):
            found = ast.literal_eval(piece.strip())
        answers, whole = [each["answer"] for each in found["answers"]], found["global_evaluation"]
        names = ("Spelling", "Clarity and Readability", "Logical Consistency")
        spelling, readability, logic = (float(whole[name]["score"]) for name in names)
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        raise NoAnswer("the reply is not of the form that was asked for") from None
    if any(answer not in (0, 1) for answer in answers):
        raise NoAnswer("an answer is neither 0 nor 1")
    return [float(answer) for answer in answers], spelling, readability, logic


def exact_word(text: str) -> str:
    """The reply as it stands, where benchmarks compare it letter by letter."""
    return text


def _bare_scores(text: str) -> list[float]:
    inside = text[text.find("[") : text.rfind("]") + 1] if "[" in text else ""
    if re.fullmatch(r"\[\d+, ?\d+\]", inside):
        return [float(each) for each in json.loads(inside)]
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
        found = json.loads(text[start:end]) if start >= 0 else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _nothing(said: str) -> float:
    raise NoAnswer(said)


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "wise": wise_scores,
    "wise-verified": wise_bit,
    "viescore": viescore,
    "imgedit": imgedit_scores,
    "tiif": tiif_answers,
    "risebench": rise_scores,
    "kris-consistency": kris_score("consistency"),
    "kris-instruction": kris_score("instruction"),
    "kris-quality": kris_score("quality"),
    "kris-dual": kris_dual,
    "geneval-plus": geneval_plus,
    "exact": exact_word,
    "is-yes": is_yes,
    "is-Yes": is_capital_yes,
    "corebench": corebench,
    "genexam": genexam,
}
