"""Reading weight files without running their code: safetensors, or pickles with inert stand-ins for foreign classes."""

from __future__ import annotations

import hashlib
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, WeightsError
from evalkit.jsonio import parse_json
from evalkit.weights.stubs import Kind, WouldRun, named_globals, refused, stand_ins

LARGE = 2**28  # bytes; a smaller file that takes all memory is forged
_NOT_WEIGHTS = {
    b"version https://git-lfs": "is a Git LFS pointer, not the file it points to; fetch it with: git lfs pull",
    b"<!doctype": "is a web page, not weights; fetch it again from its official source",
    b"<html": "is a web page, not weights; fetch it again from its official source",
}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a `.safetensors`, `.pt`, `.pth`, `.ckpt`, `.bin` or `.th` file as a dict, on the CPU.

    Of a folder: what the shards of its `model.safetensors.index.json` hold together.
    Pickles are read by torch's weights-only reader. Objects of foreign classes become inert stubs (mappings and lists
    keep what they hold); a file that wants to call a function, or a class of Python's own library that can act, is
    refused. Raises `WeightsError`.
    """
    try:
        return _read_shards(path) if path.is_dir() else _read_file(path)
    except WeightsError:
        raise
    except MemoryError as error:
        if path.stat().st_size > LARGE:
            raise
        raise _broken(path, error) from None
    except Exception as error:  # a broken or forged file can fail in any way at all
        raise _broken(path, error) from None


def _read_file(path: Path) -> dict[str, Any]:
    _check_kind(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    names = named_globals(path)
    if acting := refused(names):
        raise _refused(path, acting[0])
    loaded = _load(path, names)
    if not isinstance(loaded, dict):
        raise WeightsError(
            f"{path.name} holds a {type(loaded).__name__}, not named parameters. Give the file of a state dict"
        )
    return loaded


def _load(path: Path, names: set[str]) -> Any:
    import torch  # here, so that a file is hashed without it

    kinds: dict[str, Kind] = {}
    while True:
        try:
            with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins(names, kinds)):
                warnings.simplefilter("ignore")  # of a pickle's protocol, which is no concern of the user's
                return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except WouldRun as error:
            raise _refused(path, str(error)) from None
        except pickle.UnpicklingError as error:
            said = _reason(error)
            filled = _filled(said, names - kinds.keys())
            if filled is None:
                raise WeightsError(f"{path.name} cannot be read as a checkpoint: {said}. Fetch it again") from None
            kinds[filled] = "list" if "append" in said or "extend" in said else "mapping"


def _filled(said: str, names: set[str]) -> str | None:
    """The foreign class whose object the reader was told to fill, in its own words: "… but got <class 'a.B'>"."""
    match = re.search(r"but got <class '([\w.]+)'>", said)
    return match.group(1) if match and match.group(1) in names else None


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file; for a folder, of the sorted (name, sha256) list of its files."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        lines = "".join(f"{p.relative_to(path).as_posix()} {file_sha256(p)}\n" for p in files)
        return hashlib.sha256(lines.encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except Exception as error:  # as above
        raise WeightsError(f"{path.name} is not a whole safetensors file: {_reason(error)}. Fetch it again") from None


def _read_shards(folder: Path) -> dict[str, Any]:
    index = folder / "model.safetensors.index.json"
    try:
        shards = sorted(set(parse_json(index.read_bytes(), index.name)["weight_map"].values()))
    except (OSError, *DAMAGED) as error:
        raise _broken(index, error) from None
    parts = [_read_safetensors(folder / Path(str(shard)).name) for shard in shards]
    return {key: value for part in parts for key, value in part.items()}


def _check_kind(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            start = stream.read(32).lstrip().lower()
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be opened: {error.strerror or error}") from None
    for mark, said in _NOT_WEIGHTS.items():
        if start.startswith(mark):
            raise WeightsError(f"{path.name} {said}")
    if path.suffix != ".safetensors" and start.startswith(b"pk") and is_program(path):
        raise WeightsError(f"{path.name} is a TorchScript program, which evalkit does not run; give its state dict")


def is_program(path: Path) -> bool:
    """Whether a file is a TorchScript program."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(member.rpartition("/")[2] == "constants.pkl" for member in archive.namelist())


def _refused(path: Path, name: str) -> WeightsError:
    return WeightsError(
        f"{path.name} was refused: reading it would run {name}, which no weight file needs. "
        "Get the file from its official source"
    )


def _broken(path: Path, error: BaseException) -> WeightsError:
    if path.is_file() and _starts_as_zip(path) and not zipfile.is_zipfile(path):  # its table of contents is the end
        size = path.stat().st_size
        return WeightsError(
            f"{path.name} is not a whole checkpoint: it breaks off after {size:,} bytes. Fetch it again"
        )
    return WeightsError(
        f"{path.name} is not a whole checkpoint (truncated or of another kind): {_reason(error)}. Fetch it again"
    )


def _starts_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _reason(error: BaseException) -> str:
    """The first line of what was said, without torch's advice to read the file unsafely."""
    text = str(error).strip()
    if match := re.search(r"WeightsUnpickler error:\s*([^\n]*)", text):
        text = match.group(1)
    return text.splitlines()[0][:200].rstrip(".") if text else type(error).__name__
