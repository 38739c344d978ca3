"""Parsers of benchmarks as their official code has them, faults included; `parse` holds those of evalkit-1.

Each takes the text of a reply and raises `NoAnswer` where the official code finds nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any

from evalkit.errors import DAMAGED, BadData
from evalkit.jsonio import loose_json
from evalkit.judges.official_edits import imgedit_scores, kris_dual, kris_score, rise_scores, viescore, wiseedit
from evalkit.judges.official_lists import dsg, imagenworld, reasonbench, unigenbench
from evalkit.judges.parse import NoAnswer

_WISE = re.compile(r"\*{0,2}(Consistency|Realism|Aesthetic Quality)\*{0,2}\s*:?\s*(\d)", re.IGNORECASE)
_WISE_BARE = re.compile(r"(?m)^\s*([0-2])\s*$")
_WISE_NAMES = ("consistency", "realism", "aesthetic_quality")
_BIT = re.compile(r"\*{0,2}Score\*{0,2}\s*:?\s*([01])\b", re.IGNORECASE)
_BIT_BARE = re.compile(r"(?m)^\s*([01])\s*$")


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


def tiif_answers(text: str) -> list[str]:
    """TIIF's answers: lines that open with yes or no; others are passed over. Source: A113N-W3I/TIIF-Bench 3aae750."""
    lines = (re.match(r"(yes|no)\b", line.strip(), re.IGNORECASE) for line in text.strip().split("\n"))
    found = [match.group(1).lower() for match in lines if match]
    if not found:
        raise NoAnswer("no line opens with yes or no")
    return found


def geneval_plus(text: str) -> float:
    """GenEval++'s verdict: `correct` of the JSON between the first and the last brace; 1 is right, all else wrong.

    Source: yejy53/Echo-4o 28f36d7, test_scripts/Eval-gpt-4.1-geneval++.py.
    """
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        return float(loose_json(found.group())["correct"] == 1) if found else _nothing("there is no JSON object")
    except DAMAGED:
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
            found = loose_json(piece)
        except BadData:
            found = ast.literal_eval(piece)
        answers, whole = [each["answer"] for each in found["answers"]], found["global_evaluation"]
        scores = [whole[name]["score"] for name in ("Spelling", "Clarity and Readability", "Logical Consistency")]
        spelling, readability, logic = (0.0 + score for score in scores)
    except (SyntaxError, MemoryError, *DAMAGED):
        raise NoAnswer("the reply is not of the form that was asked for") from None
    if any(answer not in (0, 1) for answer in answers):
        raise NoAnswer("an answer is neither 0 nor 1")
    return [float(answer) for answer in answers], spelling, readability, logic


def exact_word(text: str) -> str:
    """The reply as it stands, where benchmarks compare it letter by letter."""
    return text


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
    "kris-knowledge-consistency": kris_score("consistency", "knowledge"),
    "kris-knowledge-quality": kris_score("quality", "knowledge"),
    "kris-plain-consistency": kris_score("consistency", "plain"),
    "kris-plain-instruction": kris_score("instruction", "plain"),
    "kris-plain-quality": kris_score("quality", "plain"),
    "kris-dual": kris_dual,
    "geneval-plus": geneval_plus,
    "exact": exact_word,
    "is-yes": is_yes,
    "is-Yes": is_capital_yes,
    "corebench": corebench,
    "genexam": genexam,
    "unigenbench": unigenbench,
    "reasonbench": reasonbench,
    "imagenworld": imagenworld,
    "dsg": dsg,
    "wiseedit": wiseedit,
}
