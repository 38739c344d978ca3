"""Files of prompts: .txt, .jsonl, .json, .csv and .tsv, each error with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jsonio import json_lines, parse_json
from evalkit.prompts.prompt import Prompt
from evalkit.textfiles import lines_of, read_text, table_rows

SUFFIXES = (".jsonl", ".json", ".txt", ".csv", ".tsv")
FIELDS = ("id", "prompt", "class_id", "seed")
Rows = Iterator[tuple[str, Any]]


def read_prompt_file(path: Path) -> list[Prompt]:
    """The prompts of a file, in its order; ids are the row numbers where it gives none.

    A .txt file holds a prompt per line. A .json file holds a list of texts or objects, alone or under `prompts`. Tables
    have a header with `prompt` or `class_id`. Raises `EvalkitError` with the line of what cannot be used.
    """
    text, kind = read_text(path), path.suffix.lower()
    if kind == ".txt":
        named = [line.strip(" \t") for line in lines_of(text)]
        return [Prompt(f"{i:05d}", line) for i, line in enumerate(filter(None, named))]
    rows = {".jsonl": _of_lines, ".json": _of_json}.get(kind, _of_table)(path, text)
    return [_prompt(where, index, row) for index, (where, row) in enumerate(rows)]


def _of_lines(path: Path, text: str) -> Rows:
    for number, row in json_lines(text, str(path)):
        yield f"{path}, line {number}", row


def _of_json(path: Path, text: str) -> Rows:
    found = parse_json(text, str(path))
    listed = found.get("prompts") if isinstance(found, dict) else found
    if not isinstance(listed, list):
        raise EvalkitError(f'{path} holds no list of prompts; expected ["a red apple", …] or {{"prompts": […]}}')
    for number, row in enumerate(listed, 1):
        yield f"{path}, entry {number}", {"prompt": row} if isinstance(row, str) else row


def _of_table(path: Path, text: str) -> Rows:
    for number, row in table_rows(text, str(path), "\t" if path.suffix.lower() == ".tsv" else ","):
        known = {k.lower() if k.lower() in FIELDS else k: v for k, v in row.items() if v != ""}
        numbers = {k: _whole(known[k]) for k in ("class_id", "seed") if k in known}
        yield f"{path}, line {number}", {**known, **numbers}


def _whole(cell: str) -> Any:
    """The cell as a whole number, or as it is, to be refused by name."""
    return int(cell) if re.fullmatch(r"\s*-?[0-9]{1,30}\s*", cell) else cell


def _prompt(where: str, index: int, row: Any) -> Prompt:
    if not isinstance(row, dict) or not ("prompt" in row or "class_id" in row):
        raise EvalkitError(f"{where}: expected an object with prompt or class_id")
    prompt, class_id, seed, id = (row.get(name) for name in ("prompt", "class_id", "seed", "id"))
    if prompt is None and class_id is None:
        raise EvalkitError(f"{where} gives neither a prompt nor a class_id; give one of them")
    if prompt is not None and not isinstance(prompt, str):
        raise EvalkitError(f"{where}: prompt is text; {prompt!r} given")
    for name, value in (("class_id", class_id), ("seed", seed)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise EvalkitError(f"{where}: {name} is a whole number; {value!r} given")
    if class_id is not None and not 0 <= class_id < 2**31:
        raise EvalkitError(f"{where}: class_id goes from 0 to {2**31 - 1}; {class_id} given")
    meta = {key: value for key, value in row.items() if key not in FIELDS}
    return Prompt(_id(where, index, row, id), prompt, class_id, seed, meta)


def _id(where: str, index: int, row: Mapping[str, Any], id: Any) -> str:
    if "id" not in row:
        return f"{index:05d}"
    if isinstance(id, bool) or not isinstance(id, str | int) or id == "":
        raise EvalkitError(f"{where}: id is text or a whole number; {id!r} given. Leave it out to number the lines")
    return str(id)
