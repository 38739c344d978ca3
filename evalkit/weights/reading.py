"""Reading weight files without running their code: safetensors, or pickles with inert stand-ins for foreign classes."""

from __future__ import annotations

import _compat_pickle
import hashlib
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import torch

from evalkit.errors import WeightsError

_CLASS_NAME = re.compile(r"^_?[A-Z]\w*$")
_HARMLESS = {
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib.Path",
    "typing.Any",
    "enum.Enum",
}


class _Stub:
    """Stands where a checkpoint holds an object of a foreign class (a config, say); it keeps state and does nothing."""

    def __init__(self, *args: object) -> None:
        self.args = args

    def __setstate__(self, state: object) -> None:
        self.state = state


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a `.safetensors`, `.pt`, `.pth`, `.ckpt`, `.bin` or `.th` file as a dict, on the CPU.

    Pickles are read by torch's weights-only reader. Objects of foreign classes become inert stubs; a file that wants
    to call a function, or a class of Python's own library that can act, is refused. Raises `WeightsError`.
    """
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    stubs: dict[str, Any] = {}
    for _ in range(64):
        try:
            with torch.serialization.safe_globals([(stub, name) for name, stub in stubs.items()]):
                loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
            break
        except pickle.UnpicklingError as error:
            name = _unsafe_global(str(error))
            if name is None or name in stubs:
                raise WeightsError(f"{path.name} cannot be read as a checkpoint: {_first_line(error)}") from None
            if not _may_stub(name):
                raise WeightsError(
                    f"{path.name} was refused: reading it would run {name}, which no weight file needs. "
                    "Get the file from its official source"
                ) from None
            stubs[name] = type(name.rpartition(".")[2], (_Stub,), {})
        except (RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
            raise WeightsError(
                f"{path.name} is not a whole checkpoint (truncated or of another kind): {_first_line(error)}. "
                "Fetch it again"
            ) from None
    else:
        raise WeightsError(f"{path.name} holds objects of more than 64 foreign classes; it is not a weight file")
    if not isinstance(loaded, dict):
        raise WeightsError(f"{path.name} holds a {type(loaded).__name__}, not named parameters")
    return loaded


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file; for a folder, of the sorted (name, sha256) list of its files."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        lines = "".join(f"{p.relative_to(path).as_posix()} {file_sha256(p)}\n" for p in files)
        return hashlib.sha256(lines.encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path.name} is not a whole safetensors file: {_first_line(error)}. Fetch it again"
        ) from None


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"PK"


def _unsafe_global(message: str) -> str | None:
    match = re.search(r"GLOBAL ([\w.]+)|Unsupported (?:global|class|type)[^\n]*?([\w]+(?:\.[\w]+)+)", message)
    return next((group for group in match.groups() if group), None) if match else None


def _may_stub(name: str) -> bool:
    """Whether `name` looks like a class of a research project; Python 2's names are translated as pickle does."""
    module, _, last = name.rpartition(".")
    module, last = _compat_pickle.NAME_MAPPING.get((module, last), (module, last))
    module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    if f"{module}.{last}" in _HARMLESS:
        return True
    root = module.partition(".")[0]
    return bool(_CLASS_NAME.match(last)) and root not in sys.stdlib_module_names


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
