"""The items of a judged suite, read from the files of its official repository, or from a run that holds them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.protocols.judged.declaration import Declaration, ItemRule
from evalkit.runs.plain import read_plain
from evalkit.tasks.probe.judged.formula import evaluate
from evalkit.tasks.probe.judged.templates import fill_in

Row = dict[str, Any]
_LOADERS = "evalkit.tasks.probe.judged.loaders"
_MODULE = re.compile(rf"{re.escape(_LOADERS)}\.\w+")


@dataclass(frozen=True)
class JudgedItem:
    """One item: its id, what the generator is told, and its fields with `tag`, the category, and `prompt`."""

    id: str
    prompt: str
    metadata: Mapping[str, Any]

    @property
    def category(self) -> str:
        """What its score counts for."""
        return str(self.metadata["tag"])


def read_items(said: Declaration, folder: Path) -> tuple[JudgedItem, ...]:
    """The items below `folder`, which holds the files of the official repository at their paths.

    Raises `EvalkitError` where files are missing, changed or of another form, and where two items have one id.
    """
    _check_files(said, folder)
    rule = said.items
    try:
        rows = _loaded(said, folder)
    except EvalkitError:
        raise
    except DAMAGED as error:
        raise EvalkitError(
            f"the data of {said.name} are not of the official form: {_why(error)}. Give the official files"
        ) from None
    rows = [row for row in rows[rule.skip :] if not rule.where or evaluate(rule.where, row)]
    rows = grouped(rows, rule.group) if rule.group else rows
    return _unique([_item(rule, row, place) for place, row in enumerate(rows)], said.name)


def _loaded(said: Declaration, folder: Path) -> list[Row]:
    if said.items.loader:
        return [dict(row) for row in _loader(said.items.loader, said.name)(folder)]
    return [row for path in _files(said.items, folder) for row in rows_of(path)]


def _why(error: BaseException) -> str:
    """An error of Python in a sentence's part."""
    said = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
    return f"{said} is missing" if isinstance(error, KeyError) else said


def _loader(called: str, name: str) -> Callable[[Path], Iterable[Any]]:
    """The function that reads a benchmark's own form of data; evalkit's alone, for a suite's file may come from anywhere.

    Raises `EvalkitError` for any other.
    """
    module, _, function = called.partition(":")
    with suppress(ImportError, AttributeError):
        made = getattr(import_module(module), function) if _MODULE.fullmatch(module) else None
        if getattr(made, "func", made).__module__.startswith(_LOADERS):  # not what the module itself imports
            return cast("Callable[[Path], Iterable[Any]]", made)
    raise EvalkitError(f"{name} wants its items read by {called!r}, which evalkit does not have. Give files instead")


def items_lines(items: Sequence[JudgedItem]) -> bytes:
    """The items as JSON lines, for a run that must be judged again without the benchmark's files."""
    rows = ({"id": each.id, "prompt": each.prompt, "metadata": dict(each.metadata)} for each in items)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "surrogatepass")


def items_of_lines(path: Path) -> tuple[JudgedItem, ...]:
    """The items that `items_lines` wrote."""
    rows = json_lines(path)
    try:
        return tuple(JudgedItem(str(row["id"]), str(row["prompt"]), dict(row["metadata"])) for row in rows)
    except DAMAGED:
        raise EvalkitError(f"{path} does not hold the items of a suite. Give the run's own file") from None


def _check_files(said: Declaration, folder: Path) -> None:
    for name, wanted in said.source.files.items():
        path = folder / name
        if not path.is_file():
            raise EvalkitError(
                f"{folder} lacks {name} of {said.source.repository}. Type evalkit probes fetch {said.name}, or give --data"
            )
        if wanted and hashlib.sha256(read_plain(path)).hexdigest() != wanted:
            raise EvalkitError(
                f"{path} is not the file of commit {said.source.commit[:10]}. Type evalkit probes fetch {said.name}"
            )


def _files(rule: ItemRule, folder: Path) -> Iterator[Path]:
    for pattern in rule.files:
        found: list[Path] = []
        with suppress(OSError, ValueError, NotImplementedError):  # a pattern that no folder can hold
            found = sorted(folder.glob(pattern))
        if not found:
            raise EvalkitError(
                f"{folder} holds no {pattern[:80]}. Give the folder of the benchmark's files: --data DIR"
            )
        yield from found


def rows_of(path: Path) -> list[Row]:
    """The rows of a data file. Raises `EvalkitError` for what is none."""
    try:
        match path.suffix:
            case ".jsonl":
                return json_lines(path)
            case ".json":
                return _json_rows(parse_json(read_plain(path), path.name))
            case ".csv":
                return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
            case ".parquet":
                return _tablerows_of(path)
            case ".txt":
                return [{"stem": path.stem, "text": path.read_text(encoding="utf-8").strip()}]
    except (OSError, ValueError, TypeError, RecursionError, csv.Error, pa.ArrowException) as error:
        raise EvalkitError(
            f"{path} cannot be read as a benchmark's data: {_why(error)}. Give the official file"
        ) from None
    raise EvalkitError(f"{path} is of no form that data have. Give JSON, JSON lines, CSV, Parquet or text")


def json_lines(path: Path) -> list[Row]:
    """The objects of a file of JSON lines."""
    lines = read_plain(path).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [dict(parse_json(line, path.name)) for line in lines if line.strip()]


def _json_rows(found: Any) -> list[Row]:
    """A list of objects, or an object whose keys become the field `key`."""
    if isinstance(found, dict):
        return [{**dict(row), "key": key} for key, row in found.items()]
    return [dict(row) for row in found]


def _tablerows_of(path: Path) -> list[Row]:
    """Columns of a Parquet file without images and other bytes."""
    with path.open("rb") as stream, pq.ParquetFile(stream) as file:  # pyarrow takes some paths for addresses
        plain = [
            each.name
            for each in file.schema_arrow
            if not (pa.types.is_struct(each.type) or pa.types.is_binary(each.type))
        ]
        return [dict(row) for row in file.read(plain).to_pylist()]


def grouped(rows: Sequence[Row], column: str) -> list[Row]:
    """One row for each value of a column: the first one, and all of them in `rows`."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if column not in row:
            raise EvalkitError(
                f"a row of the data lacks {column[:60]!r}, by which rows are grouped. Give the official files"
            )
        groups.setdefault(str(row[column]), []).append(row)
    return [{**group[0], "rows": group} for group in groups.values()]


def _item(rule: ItemRule, row: Row, place: int) -> JudgedItem:
    fields = {"place": place, **{key: value for key, value in row.items() if not rule.keep or key in rule.keep}}
    try:
        prompt, name = fill_in(rule.prompt, row), fill_in(rule.id, {"place": place, **row})
        category = _range(rule, row) if rule.ranges else fill_in(rule.category, row)
    except EvalkitError:
        raise
    except DAMAGED as error:
        raise EvalkitError(f"item {place} of the data lacks {error}. Give the official files") from None
    return JudgedItem(name, prompt, {**fields, "prompt": prompt, "tag": category or "all"})


def _range(rule: ItemRule, row: Row) -> str:
    number = int(row[rule.range_of])
    for name, (first, last) in rule.ranges.items():
        if first <= number <= last:
            return name
    raise KeyError(f"{rule.range_of} {number}")


def _unique(items: Sequence[JudgedItem], suite: str) -> tuple[JudgedItem, ...]:
    seen: set[str] = set()
    for each in items:
        if each.id in seen:
            raise EvalkitError(f"the data of {suite} hold the item {each.id} twice. Give the official files")
        seen.add(each.id)
    if not items:
        raise EvalkitError(f"the data of {suite} hold no item. Give the official files")
    return tuple(items)
