"""T2I-CompBench: prompts of a validation file, their noun phrases, and the names of their ten images.

Source: Karine-Huang/T2I-CompBench 1b70949, BLIPvqa_eval/BLIP_vqa.py, CLIPScore_eval/CLIP_similarity.py,
3_in_1_eval/3_in_1.py, and UniDet_eval for what a detector looks for. Words are those of spaCy's en_core_web_sm.
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

FOLDER, MODEL, SAMPLES, MOST = "examples/dataset", "en_core_web_sm", 10, 8  # at most so many noun phrases
UNIDET = "labels/annotation_obj_detection_2d/vqa_result.json"  # which the official script writes
PLURALS = "new_objects.txt"
RELATIONS = ("on side of", "next to", "near", "on the left of", "on the right of", "on the bottom of", "on the top of")
NUMBERS = ("a", "an", "one", "two", "three", "four", "five", "six", "seven", "eight")
ONE = NUMBERS[:3]
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
            {"questions": [f"{each}?" for each in noun_phrases(text)[:MOST]]} if split != "non_spatial" else {}
        )
        if split == "complex":
            more |= {"spoken": without_adjectives(text)}
        numbers = [place * SAMPLES + sample for sample in range(SAMPLES)]
        known = {"split": split, "text": text, "kind": kind, "numbers": numbers}
        yield {**known, **more, "unidet": [boxes.get(number) for number in numbers]}


def _seen(folder: Path, split: str) -> Iterator[dict[str, Any]]:
    """Prompts of a split that a detector looks at, with what it looks for."""
    plurals = _plurals(folder) if split == "numeracy" else {}
    for place, text in enumerate(_lines(folder, f"{split}_val")):
        more: dict[str, Any] = {}
        if split == "spatial":
            names = nouns(text) or [""]
            relation = next((each for each in RELATIONS if each in text), "")
            more = {"first": names[0], "last": names[-1], "relation": relation}
        elif split == "numeracy":
            more = {"wanted": counted(words(text), plurals)}
        numbers = [place * SAMPLES + sample for sample in range(SAMPLES)]
        yield {"split": split, "text": text, "kind": split, "numbers": numbers, **more}


def counted(text: list[str], plurals: dict[str, str]) -> list[tuple[str, int]]:
    """Objects by their singular, with the number before them; `plurals` gives the singular of a plural.

    >>> counted("two cats and a hot dog".split(), {"cats": "cat", "hot dogs": "hot dog"})
    [('cat', 2), ('hot dog', 1)]
    """
    singulars, found = set(plurals.values()), []
    for place, number in enumerate(text):
        if number not in NUMBERS:
            continue
        one = number in ONE
        count = 1 if one else NUMBERS.index(number) - 1
        pair, single = " ".join(text[place + 1 : place + 3]), " ".join(text[place + 1 : place + 2])
        if place < len(text) - 2 and (pair in singulars or pair in plurals):
            found.append((plurals[pair], count) if pair in plurals and not one else (pair, 1))
        elif single in singulars and one:
            found.append((single, 1))
        elif single in plurals:
            found.append((plurals[single], count))
    return found


def _plurals(folder: Path) -> dict[str, str]:
    """The singular of each plural in the official list."""
    pairs = [line.partition(" - ") for line in _lines(folder, PLURALS.removesuffix(".txt"))]
    return {many.strip().lower(): one.strip().lower() for one, _, many in reversed(pairs)}


def nouns(text: str) -> list[str]:
    """The nouns of a prompt in order."""
    return [token.text for token in _parser()(text) if token.pos_ == "NOUN"]


def words(text: str) -> list[str]:
    """The words and marks of a prompt in order."""
    return [token.text for token in _parser()(text)]


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
spatial, numeracy, depth = (partial(_seen, split=name) for name in ("spatial", "numeracy", "3d_spatial"))
non_spatial, complex_ = (partial(_items, split=name) for name in ("non_spatial", "complex"))
