"""Arrays of an npz file, read without pickles and within bounds: what a file claims is checked before it is unpacked."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError

STATISTICS = "Give an npz file of statistics (mu and sigma), or a folder of images."
MOST = 2**31  # bytes of one array: a covariance of 16,384 features
_MEMBERS = 10_000
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class NpzFile:
    """The shapes of an npz file's arrays, and each array when it is asked for. Raises `EvalkitError` for a damaged one."""

    def __init__(self, path: Path, hint: str = STATISTICS) -> None:
        """`hint`: what to do where the file is none."""
        self.path, self.hint = path, hint
        try:
            self.shapes: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]] = dict(self._headers())
        except EvalkitError:
            raise
        except Exception as error:  # a broken or forged archive can fail in any way at all
            raise self.wrong(f"is not a readable npz file ({_reason(error)})") from None

    def read(self, name: str) -> npt.NDArray[Any]:
        """The array called `name`."""
        shape, dtype = self.shapes[name]
        size = int(np.prod(shape, dtype=np.float64)) * dtype.itemsize
        if size > MOST:
            raise self.wrong(f"says that {name} takes {size:,} bytes, which no statistics do")
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as stream:
                _, fortran, _ = self._header(stream)
                data = stream.read(size + 1)
        except EvalkitError:
            raise
        except Exception as error:  # as above
            raise self.wrong(f"breaks off inside {name} ({_reason(error)})") from None
        if len(data) != size:
            raise self.wrong(f"holds {len(data):,} bytes for {name}; {size:,} were announced")
        flat = np.frombuffer(data, dtype)
        return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)

    def wrong(self, what: str) -> EvalkitError:
        """The error that says `what` of this file."""
        return EvalkitError(f"{self.path.name} {what}. {self.hint}")

    def _headers(self) -> list[tuple[str, tuple[tuple[int, ...], np.dtype[Any]]]]:
        with zipfile.ZipFile(self.path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            if len(names) > _MEMBERS:
                raise self.wrong(f"holds {len(names):,} arrays")
            found = []
            for name in names:
                with archive.open(name) as stream:
                    shape, _, dtype = self._header(stream)
                found.append((name.removesuffix(".npy"), (shape, dtype)))
            return found

    def _header(self, stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise self.wrong(f"has arrays of format {version}, which is not known")
        shape, fortran, dtype = _HEADERS[version](stream)
        if min(shape, default=0) < 0:
            raise self.wrong(f"has an array of shape {shape}")
        if dtype.hasobject:
            raise self.wrong("holds Python objects, which evalkit does not run")
        return shape, bool(fortran), dtype


def arrays_of(path: Path, hint: str = "") -> dict[str, npt.NDArray[Any]]:
    """All arrays of an npz file; raises `EvalkitError` for a damaged one. `hint`: what to do then."""
    file = NpzFile(path, hint or f"Check its run: evalkit verify {path.parent.parent}")
    return {name: np.array(file.read(name)) for name in file.shapes}  # they may be written to


def array_of(path: Path, hint: str) -> npt.NDArray[Any]:
    """The array of an npy file, within the bounds of those in npz files; raises `EvalkitError` for a damaged one."""
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            shape, _, dtype = _HEADERS[version](stream)
            rest = path.stat().st_size - stream.tell()
            if dtype.hasobject or int(np.prod(shape, dtype=np.float64)) * dtype.itemsize != rest or rest > MOST:
                raise ValueError("it does not hold what its header says")
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
        return found
    except Exception as error:  # numpy raises many kinds for damaged files
        raise EvalkitError(f"{path} cannot be read ({_reason(error)}). {hint}") from None


def _reason(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:120].rstrip(".") if text else type(error).__name__
