"""What somebody knows of images: texts beside them, and rows of metadata.jsonl, .csv or .tsv in any folder of the set."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jsonio import json_lines
from evalkit.textfiles import decode_text, table_rows

NAMES = ("metadata.csv", "metadata.tsv", "metadata.jsonl")  # a later one goes before an earlier one
TEXTS = ("text", "subset", "task", "script")  # keys that hold text
Meta = dict[str, dict[str, Any]]


def is_metadata(name: str) -> bool:
    """Whether a file of this name describes the images of its folder and of those below."""
    return posixpath.basename(name).lower() in NAMES


def read_rows(files: Iterable[str], read: Callable[[str], bytes], shown: str) -> Meta:
    """Rows by image id, of metadata files `files` (relative paths); `shown` names the set in errors.

    `file_name` is relative to the metadata's own folder, as hub image folders have it. A file deeper in the tree goes
    before one above. GenEval's file of a prompt names no image and is passed over. Raises `EvalkitError` with the line of a
    row that cannot be used.
    """
    found: Meta = {}
    for file in sorted(files, key=lambda each: (each.count("/"), NAMES.index(posixpath.basename(each).lower()))):
        what = f"{file} in {shown}"
        mine: dict[str, int] = {}
        try:
            data = read(file)
        except Exception as error:  # archives raise many kinds
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise EvalkitError(f"{what} cannot be read ({reason}); mend it, or take it out") from None
        rows = _rows(file, decode_text(data, what), what)
        first = list(islice(rows, 2))
        for line, row in () if _of_a_prompt(first) else chain(first, rows):
            name = _name(posixpath.dirname(file), row.pop("file_name", None), f"{what}, line {line}")
            if name in mine:
                raise EvalkitError(f"{what} describes {name!r} twice (lines {mine[name]} and {line}); keep one row")
            mine[name] = line
            found[name] = {**found.get(name, {}), **_checked(row, f"{what}, line {line}")}
    return found


def texts_of(files: Iterable[str]) -> dict[str, str]:
    """The text file beside an image, by the image's path without suffix; `.txt` goes before `.TXT`."""
    return {file[:-4]: file for file in sorted(files, key=lambda each: (each[-4:] == ".txt", each))}


def known_of(
    id: str, rows: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str], read: Callable[[str], bytes]
) -> dict[str, Any]:
    """What is known of the image `id`. Raises `EvalkitError` where its text cannot be read."""
    known = dict(rows.get(id, {}))
    beside = texts.get(posixpath.splitext(id)[0])
    if "text" not in known and beside is not None:
        known["text"] = decode_text(read(beside), beside, other_unicode=True)
    return known


def _rows(file: str, text: str, what: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if file.lower().endswith(".jsonl"):
        for line, row in json_lines(text, what):
            if not isinstance(row, dict):
                raise EvalkitError(f"{what}, line {line} cannot be read; each row is an object with file_name")
            yield line, row
        return
    for line, cells in table_rows(text, what, "\t" if file.lower().endswith(".tsv") else ","):
        yield line, {key: value for key, value in cells.items() if value != ""}


def _of_a_prompt(rows: Sequence[tuple[int, Mapping[str, Any]]]) -> bool:
    """Whether a file holds what GenEval keeps beside a prompt's images: one row that says the prompt."""
    return len(rows) == 1 and "file_name" not in rows[0][1] and isinstance(rows[0][1].get("prompt"), str)


def _name(folder: str, given: Any, where: str) -> str:
    if not isinstance(given, str) or not given:
        raise EvalkitError(f"{where} cannot be used; each row needs file_name, the name of an image")
    return posixpath.normpath(posixpath.join(folder, given))


def _checked(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The row, with what must be text as text; nulls are unknown."""
    found = {}
    for key, value in row.items():
        if key in TEXTS and value is not None:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise EvalkitError(f"{where}: {key} is text; {value!r} given")
            value = str(value)
        if value is not None:
            found[key] = value
    return found
