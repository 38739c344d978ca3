"""Parsers of benchmarks whose replies hold a list of scores, as their official code has them; `official` lists all."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from evalkit.errors import DAMAGED
from evalkit.jsonio import loose_json
from evalkit.judges.parse import NoAnswer, Scale

_ENDS = (SyntaxError, MemoryError, *DAMAGED)
_WORLD = ("prompt_relevance", "aesthetic_quality", "content_coherence", "artifacts")


def unigenbench(text: str) -> list[float]:
    """UniGenBench's answers: a list in the tag score beside one of equal length in the tag analysis; 1 is right.

    An answer in quotes is wrong. The official code keeps both as JSON and reads that as Python: true, false and null
    anywhere break it, and a tuple becomes a list. Source: CodeGoat24/UniGenBench 49d0bce, eval/src/eval_common.py,
    parse_evaluation_response and calculate_scores.
    """
    try:
        given = [_literal(text, tag) for tag in ("analysis", "score")]
        _, score = ast.literal_eval(json.dumps(given))
        lengths = len(given[0]), len(given[1])
    except _ENDS:
        raise NoAnswer("a tag holds no list, or true, false or none") from None
    if not isinstance(score, list) or lengths[0] != lengths[1]:
        raise NoAnswer(f"there are {lengths[1]} scores and {lengths[0]} analyses")
    return [float(each == 1) for each in score]


def reasonbench(text: str) -> list[float]:
    """T2I-ReasonBench's scores: those of the JSON object that ends at the first closing brace.

    Source: KaiyueSun98/T2I-ReasonBench efc1d20, evaluation/Qwen2.5-VL/eval_entity.py, extract_json.
    """
    found = re.search(r"\{.*?\}", text, re.DOTALL)
    try:
        scores = [float(each) for each in loose_json(found.group())["score"]] if found else []
    except DAMAGED:
        raise NoAnswer("the JSON object is broken or has no scores") from None
    if not scores:
        raise NoAnswer("there are no scores")
    return scores


def imagenworld(text: str) -> dict[str, float]:
    """ImagenWorld's four scores in the JSON object from the first to the last brace.

    Source: TIGER-AI-Lab/ImagenWorld 4b3b886, eval/scripts/gemini_score.py, parse_json_safely.
    """
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        scores = loose_json(found.group()) if found else {}
        return {name: float(scores[name]) for name in _WORLD}
    except DAMAGED:
        raise NoAnswer("the JSON object is broken or lacks one of four scores") from None


def dsg(text: str) -> float:
    """DSG-1k's answer: 1 for yes in any case, without the marks . , ? and !; 0 for anything else.

    Source: j-min/DSG 7330119, dsg/vqa_utils.py.
    """
    return float(re.sub(r"[.,?!]", "", text.lower().strip()) == "yes")


def tagged_scores(text: str, tag: str, scale: Scale) -> list[float]:
    """The list of the last <tag>…</tag>, its numbers perhaps in quotes (evalkit-1).

    >>> tagged_scores('<score>["1", 0]</score>', "score", Scale(0, 1))
    [1.0, 0.0]
    """
    return [scale.check(each, f"score {place}") for place, each in enumerate(_literal_list(text, tag, last=True), 1)]


def _literal_list(text: str, tag: str, *, last: bool = False) -> list[Any]:
    """The Python list in a tag."""
    try:
        value = _literal(text, tag, last=last)
    except _ENDS:
        raise NoAnswer(f"the tag {tag} holds no list") from None
    if not isinstance(value, list | tuple):
        raise NoAnswer(f"the tag {tag} holds no list")
    return list(value)


def _literal(text: str, tag: str, *, last: bool = False) -> Any:
    """The value of Python's literal in a tag."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    if not found:
        raise NoAnswer(f"there is no {tag} in tags")
    return ast.literal_eval(found[-1 if last else 0].strip())
