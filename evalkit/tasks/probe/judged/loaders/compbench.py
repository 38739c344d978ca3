"""T2I-CompBench: prompts of a validation file, their noun phrases, and the names of their ten images.

Source: Karine-Huang/T2I-CompBench 1b70949, BLIPvqa_eval/BLIP_vqa.py, CLIPScore_eval/CLIP_similarity.py and
3_in_1_eval/3_in_1.py. Noun phrases and adjectives are those of spaCy's en_core_web_sm.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain

FOLDER, MODEL, SAMPLES = "examples/dataset", "en_core_web_sm", 10
UNIDET = "labels/annotation_obj_detection_2d/vqa_result.json"  # which the official script writes
_NO_QUESTION = ("top", "the side", "the left", "the right")


def _items(folder: Path, split: str) -> Iterator[dict[str, Any]]:
    """Prompts by place; `kind` of a complex one: whether it names places, actions, or both."""
    kinds = (
        {name: set(_plain(folder, f"complex_val_{name}")) for name in ("spatial", "action")}
        if split == "complex"
        else {}
    )
    boxes = _unidet(folder)
    for place, text in enumerate(_lines(folder, f"{split}_val")):
        kind = next((name for name, texts in kinds.items() if _short(text) in texts), "both")
        more: dict[str, Any] = (
            {"questions": [f"{each}?" for each in noun_phrases(text)]} if split != "non_spatial" else {}
        )
        if split == "complex":
            more |= {"spoken": without_adjectives(text)}
        numbers = [place * SAMPLES + sample for sample in range(SAMPLES)]
        known = {"split": split, "text": text, "kind": kind, "numbers": numbers}
        yield {**known, **more, "unidet": [boxes.get(number) for number in numbers]}


def noun_phrases(text: str) -> list[str]:
    """What the official script asks about."""
    return [chunk.text for chunk in _parser()(text).noun_chunks if chunk.text not in _NO_QUESTION]


def without_adjectives(text: str) -> str:
    """The words that CLIP is shown for a complex prompt."""
    return " ".join(token.text for token in _parser()(text) if token.pos_ != "ADJ")


@cache
def _parser() -> Any:
    try:
        return import_module("spacy").load(MODEL)
    except (ImportError, OSError):
        raise EvalkitError(
            f"the questions of T2I-CompBench need spaCy's {MODEL}. Type pip install spacy; python -m spacy download {MODEL}"
        ) from None


def _unidet(folder: Path) -> dict[int, float]:
    """UniDet's score by the number of an image, where the official script has been run."""
    path = folder / UNIDET
    if not path.is_file():
        return {}
    try:
        return {int(row["question_id"]): float(row["answer"]) for row in parse_json(read_plain(path), path.name)}
    except DAMAGED:
        raise EvalkitError(f"{path} is no result file of T2I-CompBench's UniDet. Give the official one") from None


def _lines(folder: Path, name: str) -> list[str]:
    path = folder / FOLDER / f"{name}.txt"
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise EvalkitError(
            f"{path} cannot be read. Type evalkit probes fetch t2i-compbench-color, or give --data DIR"
        ) from None


def _plain(folder: Path, name: str) -> list[str]:
    return [_short(line) for line in _lines(folder, name)]


def _short(text: str) -> str:
    return text.split(".")[0].lower()


color, shape, texture = (partial(_items, split=name) for name in ("color", "shape", "texture"))
non_spatial, complex_ = (partial(_items, split=name) for name in ("non_spatial", "complex"))
