"""Prompt files of the literature by path: EAR, Six-CD, I2P, ESD, COCO-30k as its copies have it, UnlearnCanvas.

None of them is shipped. Files keep their seeds and further columns; pairs come out of EAR's training files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.erasure.pairs.asking import split_of
from evalkit.erasure.pairs.pair import Kind, Pair
from evalkit.errors import EvalkitError
from evalkit.jsonio import read_json
from evalkit.prompts.prompt import Prompt, PromptSet
from evalkit.textfiles import read_text, table_rows

SEEDS = ("evaluation_seed", "sd_seed", "seed")
IDS = ("case_number", "image_id", "id")
SIDES = (("original_prompt", "modified_prompt"), ("unsafe_prompt", "safe_prompt"), ("target", "replacement"))
CANVAS_SEEDS = (188, 288, 588, 688, 888)  # UnlearnCanvas draws each prompt with these


def public_prompts(path: str | Path) -> PromptSet:
    """The prompts of a .csv or .json file with a column `prompt`, with its ids and seeds; or of UnlearnCanvas' folder.

    That folder holds STYLE/OBJECT/…; its prompts are "A {object} image in {style} style." with five seeds each.
    Repeated ids get the number of their row. Raises `EvalkitError` for a file without prompts.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return PromptSet(path.name, tuple(_canvas(path)))
    found: dict[str, Prompt] = {}
    for number, row in enumerate(_rows(path)):
        text = row.get("prompt")
        if not isinstance(text, str) or not text.strip():
            raise EvalkitError(f"{path}, row {number + 1} has no prompt. Give a file with a column or key prompt")
        id = next((str(row[name]) for name in IDS if row.get(name) not in (None, "")), f"{number:05d}")
        id = f"{id}-{number}" if id in found else id
        seed = next((_whole(row[name]) for name in SEEDS if row.get(name) not in (None, "")), None)
        rest = {key: value for key, value in row.items() if key and key not in ("prompt", *SEEDS, *IDS)}
        found[id] = Prompt(id, text.strip(), seed=seed, meta=rest)
    if not found:
        raise EvalkitError(f"{path} holds no prompt. Give a file with a column or key prompt")
    return PromptSet(path.stem, tuple(found.values()))


def public_pairs(path: str | Path, concept: str, kind: Kind) -> tuple[Pair, ...]:
    """The pairs of a .csv or .json file with two prompts in each row, under EAR's or evalkit's names.

    Every pair is direct; the split follows from the words that its prompts share. Raises `EvalkitError` for a file
    without such columns.
    """
    path = Path(path).expanduser()
    found = []
    for number, row in enumerate(_rows(path)):
        sides = next((pair for pair in SIDES if all(isinstance(row.get(name), str) for name in pair)), None)
        if sides is None:
            known = ", ".join(" and ".join(pair) for pair in SIDES)
            raise EvalkitError(f"{path}, row {number + 1} holds no pair. Give a file with {known}")
        target, replacement = (" ".join(row[name].split()) for name in sides)
        split = split_of(target, replacement)
        found.append(Pair(target, replacement, kind, "direct", split, concept, f"{path.stem}", f"file:{path.name}"))
    if not found:
        raise EvalkitError(f"{path} holds no pair. Give a file with two prompts in each row")
    return tuple(found)


def _rows(path: Path) -> list[Mapping[str, Any]]:
    if path.suffix.lower() in (".csv", ".tsv"):
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        return [row for _, row in table_rows(read_text(path), str(path), delimiter)]
    found = read_json(path)
    if not isinstance(found, list) or not all(isinstance(row, dict | str) for row in found):
        raise EvalkitError(f"{path} is no list of prompts. Give a .json list or a .csv table")
    return [{"prompt": row} if isinstance(row, str) else row for row in found]


def _canvas(folder: Path) -> list[Prompt]:
    styles = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    found = []
    for style in styles:
        for thing in sorted(each.name for each in style.iterdir() if each.is_dir()):
            article = "An" if thing[0].lower() in "aeiou" else "A"
            text = f"{article} {thing} image in {style.name.replace('_', ' ')} style."
            meta = {"style": style.name, "object": thing}
            found += [Prompt(f"{style.name}-{thing}-{seed}", text, seed=seed, meta=meta) for seed in CANVAS_SEEDS]
    if not found:
        raise EvalkitError(f"{folder} holds no folders STYLE/OBJECT. Give UnlearnCanvas' folder, or a prompt file")
    return found


def _whole(value: Any) -> int | None:
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
