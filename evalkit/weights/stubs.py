"""Inert stand-ins for what a pickle names, chosen before anything of it is read.

torch's weights-only reader calls nothing but what it is given. The names in a file are listed first (opcodes only, no
object is made); each gets a stand-in that keeps its state and does nothing, or the file is refused.
"""

from __future__ import annotations

import _compat_pickle
import pickletools
import re
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Literal

Kind = Literal["object", "mapping", "list"]

# what Python's own library lends to a configuration that only holds values; the rest of it can act
_VALUES = {
    *(f"builtins.{name}" for name in ("bool", "bytes", "bytearray", "complex", "dict", "float", "frozenset", "int")),
    *(f"builtins.{name}" for name in ("list", "object", "range", "set", "slice", "str", "tuple")),
    *(f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")),
    *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
    *(f"pathlib.{name}" for name in ("Path", "PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath")),
    *(f"typing.{name}" for name in ("Any", "Dict", "List", "Optional", "Tuple", "Union")),
    *("_codecs.encode", "argparse.Namespace", "copyreg._reconstructor", "decimal.Decimal", "enum.Enum"),
    *("fractions.Fraction", "functools.partial", "types.SimpleNamespace", "uuid.UUID"),
}
_NUMPY = re.compile(r"numpy(\.dtypes|\._?core\.(multiarray|numeric|umath)|\.random\._pickle)?\.\w+")
_CLASS = re.compile(r"_?[A-Z]\w*")
_LEGACY_STREAMS = 5  # magic, protocol, system, object, storage keys


class WouldRun(Exception):
    """A file asked to call this function."""


class Stub:
    """Stands where a checkpoint holds an object of a foreign class (a config, say)."""

    def __init__(self, *args: object) -> None:
        self.args = args

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        self.__dict__.setdefault("items", {})[key] = value


class _MappingStub:
    def __new__(cls, *args: object) -> Any:
        return OrderedDict()


class _ListStub:
    def __new__(cls, *args: object) -> Any:
        return []


class _FunctionStub:
    def __new__(cls, *args: object) -> Any:
        raise WouldRun(f"{cls.__module__}.{cls.__qualname__}")


_BASES: dict[Kind, type] = {"object": Stub, "mapping": _MappingStub, "list": _ListStub}


def named_globals(path: Path) -> set[str]:
    """The dotted names that the pickles in a `.pt` file (zip or old format) refer to, as Python 3 spells them.

    Raises ValueError or `zipfile.BadZipFile` where the file is neither.
    """
    found: set[str] = set()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.rpartition("/")[2] == "data.pkl":
                    with archive.open(member) as stream:
                        found |= _names(stream)
        return found
    with path.open("rb") as stream:
        for count in range(_LEGACY_STREAMS):
            try:
                found |= _names(stream)
            except ValueError:
                if count == 0:
                    raise
                break
    return found


def refused(names: Iterable[str]) -> list[str]:
    """Those of `names` that no weight file needs: what Python's library can act with."""
    return sorted(name for name in names if _of_python(name) and name not in _VALUES)


def stand_ins(names: Iterable[str], kinds: Mapping[str, Kind]) -> list[Any]:
    """(stand-in, name) of each name: inert objects (or what `kinds` says) for classes and values.

    A foreign function may be referred to, as configurations do; calling it raises `WouldRun`.
    """
    made: list[Any] = []
    for name in sorted(names):
        module, _, last = name.rpartition(".")
        holds_values = name in _VALUES or _NUMPY.fullmatch(name) or _CLASS.fullmatch(last)
        base = _BASES[kinds.get(name, "object")] if holds_values else _FunctionStub
        made.append((type(last, (base,), {"__module__": module}), name))
    return made


def _names(stream: IO[bytes]) -> set[str]:
    """Names after the opcodes that import; torch knows no other (STACK_GLOBAL is refused by it)."""
    pairs = (argument for code, argument, _ in pickletools.genops(stream) if code.name in {"GLOBAL", "INST"})
    return {_modern(*str(pair).split(" ", 1)) for pair in pairs}


def _modern(module: str, name: str) -> str:
    if (module, name) in _compat_pickle.NAME_MAPPING:
        module, name = _compat_pickle.NAME_MAPPING[(module, name)]
    return f"{_compat_pickle.IMPORT_MAPPING.get(module, module)}.{name}"


def _of_python(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names
