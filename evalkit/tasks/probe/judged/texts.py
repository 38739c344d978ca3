"""Texts of official files, read and never rewritten: variables and f-strings of Python, keys of JSON, whole files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jsonio import parse_json
from evalkit.protocols.judged.declaration import TextRef
from evalkit.tasks.probe.judged.templates import fill_in


def official_text(folder: Path, ref: TextRef, fields: Mapping[str, Any]) -> str:
    """The text that `ref` names below `folder`; its file and its symbol may be templates over `fields`.

    A place of an f-string is left as {expression}. Raises `EvalkitError` where there is no such text.
    """
    if ref.own:
        return ref.own
    symbol, file = (fill_in(name, fields) if "{" in name else name for name in (ref.symbol, ref.file))
    path = folder / file
    if path.suffix == ".py":
        texts = [each for each in _python_texts(path, symbol) if each.lstrip().startswith(ref.starts)]
        if texts:
            return texts[0]
    elif path.suffix == ".json":
        found = _json(path)
        if isinstance(found, dict) and isinstance(found.get(symbol), str):
            return str(found[symbol])
    else:
        return _read(path)
    raise EvalkitError(f"{path} has no text {symbol!r}. Give the file of the commit that the suite names")


def filled(text: str, places: Mapping[str, str]) -> str:
    """`text` with every key of `places` replaced by its value, all at once.

    >>> filled("a <x> b <y>", {"<x>": "<y>", "<y>": "2"})
    'a <y> b 2'
    """
    if not places:
        return text
    pattern = "|".join(re.escape(key) for key in sorted(places, key=len, reverse=True))
    return re.sub(pattern, lambda match: places[match.group()], text)


@lru_cache(maxsize=256)
def _python_texts(path: Path, symbol: str) -> tuple[str, ...]:
    try:
        tree = ast.parse(_read(path))
    except (SyntaxError, ValueError, RecursionError):
        raise EvalkitError(f"{path} is no Python file. Give the official one") from None
    return tuple(text for node in _named(tree, symbol) for text in _texts_in(node))


def _named(tree: ast.AST, symbol: str) -> Iterator[ast.AST]:
    """The node that a dotted name leads to through functions, classes and assignments."""
    first, _, rest = symbol.partition(".")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == first:
            yield from _named(node, rest) if rest else (node,)
            return
        if isinstance(node, ast.Assign) and any(_target(each) == first for each in node.targets):
            yield node.value
            return


def _target(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _texts_in(node: ast.AST) -> Iterator[str]:
    """Texts and f-strings in the order of the source, without those inside of f-strings."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(_piece(each) for each in node.values)
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from _texts_in(child)


def _piece(node: ast.expr) -> str:
    if isinstance(node, ast.FormattedValue):
        return "{" + ast.unparse(node.value) + "}"
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


@lru_cache(maxsize=64)
def _json(path: Path) -> Any:
    try:
        return parse_json(_read(path).encode(), path.name)
    except (ValueError, RecursionError):
        raise EvalkitError(f"{path} is no JSON. Give the official file") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is no text"
        raise EvalkitError(f"the official file {path} cannot be read: {said}. Type evalkit probes fetch NAME") from None
