"""Weight files that are programs (TorchScript): run only with consent to these very bytes, and only as arithmetic."""

from __future__ import annotations

import ast
import os
import zipfile
import zlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from evalkit.errors import WeightsError
from evalkit.weights.find import weights_manifest
from evalkit.weights.operators import ATEN, BUILTINS, PRIM
from evalkit.weights.reading import file_sha256

CONSENT = "EVALKIT_TRUST_TORCHSCRIPT"
_LARGEST = 64 << 20  # bytes of a program's source
_DOORS = {"torch", "ops", "getattr", "hasattr"}  # under another name they would lead to any operator


def check_consent(key: str, path: Path) -> None:
    """Raise `WeightsError` unless the program `path`, or those in the folder `path`, may run.

    Known are those whose sha256 the manifest entry `key` states; others need theirs in the variable
    EVALKIT_TRUST_TORCHSCRIPT (several with commas). Programs that call an operator beyond those of
    `evalkit.weights.operators` never run.
    """
    for file in sorted(path.glob("*.jit")) if path.is_dir() else [path]:
        _check_program(file)
    digest = file_sha256(path)
    entry = weights_manifest().get(key)
    agreed = {each.strip() for each in os.environ.get(CONSENT, "").split(",")}
    if digest not in agreed and (entry is None or entry.sha256 != digest):
        raise WeightsError(
            f"{path} holds TorchScript programs, which are code and not known here. If you trust their source, "
            f"type: export {CONSENT}={digest}"
        )


def _check_program(file: Path) -> None:
    try:
        called = sorted(_foreign(_sources(file)))
    except (OSError, ValueError, SyntaxError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError):
        raise WeightsError(f"{file.name} is no whole TorchScript file. Fetch the folder again") from None
    except (RecursionError, MemoryError):
        raise WeightsError(f"{file.name} is nested deeper than any tokenizer. It is not run") from None
    if called:
        raise WeightsError(f"{file.name} calls {called[0]}, which no tokenizer needs. It is not run")


def _sources(file: Path) -> list[str]:
    """The texts of a program; ValueError where there is none, or where Python and torch could read it in two ways."""
    with zipfile.ZipFile(file) as archive:
        members = [each for each in archive.infolist() if each.filename.endswith(".py")]
        if sum(each.file_size for each in members) > _LARGEST:
            raise WeightsError(f"{file.name} holds more source than any tokenizer. It is not run")
        found = [archive.read(each).decode("ascii") for each in members]
    if not found or any("\0" in each or "\f" in each for each in found):
        raise ValueError("no program")
    return found


def _foreign(sources: Iterable[str]) -> set[str]:
    """Names of operators in the sources beyond the allowed ones, whichever way they are called."""
    trees = [ast.parse(source) for source in sources]
    named = {said for tree in trees for node in ast.walk(tree) if (said := _said(node)) is not None}
    return named.union(*(_renamed(tree) for tree in trees))


def _renamed(tree: ast.AST) -> set[str]:
    """The doors to all operators that are kept as a value, not used at once."""
    used = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in _DOORS)
    return {node.id for node in names if id(node) not in used}


def _said(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return _of_chain(_chain(node))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _of_call(node.func.id, node)
    if isinstance(node, ast.FunctionDef) and _acts(node.name):
        return node.name  # it would hide the operator of this name
    if isinstance(node, ast.ImportFrom | ast.AsyncFunctionDef | ast.Lambda | ast.Await):
        return type(node).__name__.lower()
    if isinstance(node, ast.Import):
        return next((f"import {each.name}" for each in node.names if not each.name.startswith("__torch__.")), None)
    return None


def _of_chain(names: list[str]) -> str | None:
    """The operator that a dotted name means, where it may not be called."""
    if names[0] == "torch":
        return None if names[-1] in ATEN and len(names) == 2 else ".".join(names)
    if names[0] == "ops":
        allowed = {"aten": ATEN, "prim": PRIM}.get(names[1] if len(names) > 1 else "", frozenset())
        return None if names[-1] in allowed or names[1:] in (["aten"], ["prim"]) else ".".join(names)
    if names[0] == "__torch__":  # the program's own, unless it is a class of C++
        return ".".join(names) if names[1:3] == ["torch", "classes"] else None
    return names[-1] if _acts(names[-1]) else None  # a value's method is an operator too


def _of_call(name: str, call: ast.Call) -> str | None:
    if name in ("getattr", "hasattr"):
        attribute = call.args[1] if len(call.args) > 1 else None
        if not (isinstance(attribute, ast.Constant) and isinstance(attribute.value, str)):
            return name
        return attribute.value if _acts(attribute.value) else None
    return None if name in BUILTINS or not _acts(name) else name


def _acts(name: str) -> bool:
    """Whether torch has an operator of this name that programs may not call."""
    return name in _operators() and name not in ATEN and name not in PRIM


@cache
def _operators() -> frozenset[str]:
    import torch

    schemas = torch._C._jit_get_all_schemas()
    return frozenset(each.name.rpartition("::")[2].partition(".")[0] for each in schemas) | {
        "fork",
        "awaitable",
        "print",
    }


def _chain(node: ast.Attribute) -> list[str]:
    """The names of a dotted expression; an empty first name where it begins with a value."""
    names: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        names.append(inner.attr)
        inner = inner.value
    return [inner.id if isinstance(inner, ast.Name) else "", *reversed(names)]
