"""Images of an npz file, row by row, without unpacking the whole."""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.images.cost import MOST, most_pixels
from evalkit.images.hashing import HashedSet, file_state
from evalkit.images.loader import one_line
from evalkit.images.sample import NAMED, Pixels, Sample, Unreadable, array_sha256
from evalkit.metrics.npz import NpzFile
from evalkit.text import cut, visible

ARRAY, LABELS = "arr_0.npy", "arr_1"  # of samples by guided-diffusion's script the second holds their classes
MAX_WHOLE = 2**32  # bytes of an array in Fortran order, which is read whole
MOST_ROWS = 2**24  # images of a file; the id of each is held


class NpzSet(HashedSet):
    """Images of an npz file: `arr_0`, uint8 [N, H, W, 3], as guided-diffusion's evaluator exchanges them."""

    def __init__(self, path: Path) -> None:
        self.spec, self.name, self._path = str(path), path.stem, path
        try:
            self._rows = ArrayRows(path)
        except EvalkitError:
            raise
        except Exception as error:  # damaged archives and headers raise many kinds
            raise EvalkitError(
                f"{path} is no npz file of images ({one_line(error)}). Give one with arr_0, uint8 [N, H, W, 3]"
            ) from None
        self._absolute = str(path.resolve())
        labels = _labels(path, len(self._rows)) if LABELS in self._rows.others else None
        self._labels = labels or []
        self.skipped = {f"array {name}": 1 for name in self._rows.others if name != LABELS or labels is None}

    def ids(self) -> Sequence[str]:
        """Row numbers with eight digits."""
        return [f"{i:08d}" for i in range(len(self._rows))]

    def place(self, index: int) -> str:
        """The file and the row."""
        return f"{self._absolute}\0{index}"

    def state(self, index: int) -> str:
        """The file's."""
        return file_state(self._path)

    def sha256(self, index: int) -> str:
        """`array_sha256` of the row."""
        return array_sha256(self._rows.row(index))

    def known(self, index: int) -> Mapping[str, Any]:
        """The image's class, where `arr_1` has one."""
        return {"label": self._labels[index]} if self._labels else {}

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Rows in order; the sha256 of a sample is `array_sha256` of its row."""
        for index in range(start, min(stop, len(self._rows))):
            id = f"{index:08d}"
            try:
                pixels = self._rows.row(index)
            except MemoryError:
                yield Unreadable(id, "too large for this machine's memory")
            except Exception as error:  # a damaged piece of the archive costs the rows in it
                yield Unreadable(id, f"cannot be opened: {one_line(error)}")
            else:
                yield Sample(id, pixels, array_sha256(pixels), self.known(index))


class ArrayRows:
    """Rows of `arr_0`: mapped where it is stored, unpacked in ascending order where it is compressed.

    A row before the last one read starts the unpacking again. Arrays in Fortran order are read whole.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.RLock()
        self._archive = zipfile.ZipFile(path)
        if ARRAY not in self._archive.namelist():
            held = ", ".join(visible(name.removesuffix(".npy")) for name in self._archive.namelist()[:NAMED])
            raise EvalkitError(
                f"{path} holds {held or 'nothing'}, and no images. Give an npz with arr_0, uint8 [N, H, W, 3]"
            )
        self._info = self._archive.getinfo(ARRAY)
        self.others = [name.removesuffix(".npy") for name in self._archive.namelist() if name != ARRAY]
        self._stream: IO[bytes] = self._archive.open(self._info)
        self.shape, fortran, dtype = _header(self._stream)
        if dtype != np.uint8 or len(self.shape) != 4 or self.shape[3] != 3:
            raise EvalkitError(f"arr_0 of {path} is {dtype} {self.shape}; expected uint8 [N, H, W, 3]")
        self._check_size(path)
        self._begin, self._at = self._stream.tell(), 0
        self._bytes = int(np.prod(self.shape[1:], dtype=object))
        self._whole: npt.NDArray[np.uint8] | None = None
        if fortran:
            self._whole = self._read_whole()
        elif self._info.compress_type == zipfile.ZIP_STORED:
            offset = _data_offset(path, self._info) + self._begin
            if offset + self.shape[0] * self._bytes > os.path.getsize(path):
                raise self._short(path)
            self._whole = np.memmap(path, dtype, "r", offset, self.shape) if self.shape[0] * self._bytes else None

    def __len__(self) -> int:
        return int(self.shape[0])

    def row(self, index: int) -> Pixels:
        """uint8 [H, W, 3]."""
        if self._whole is not None:
            return np.array(self._whole[index])
        with self._lock:
            if index < self._at:
                self._stream.close()
                self._stream = self._archive.open(self._info)
                self._stream.read(self._begin)
                self._at = 0
            while self._at < index:
                self._next()
            return self._next()

    def _check_size(self, path: Path) -> None:
        """What a header claims is compared with the archive and the limits before anything is made of it."""
        n, height, width, _ = self.shape
        if min(n, height - 1, width - 1) < 0:
            raise EvalkitError(f"arr_0 of {path} is uint8 {self.shape}, which holds no pixels. Give [N, H, W, 3]")
        if height * width > most_pixels():
            raise EvalkitError(
                f"arr_0 of {path} has images of {cut(f'{height} x {width}', 60)}, more than {most_pixels()} pixels. "
                f"Set {MOST} where they are meant"
            )
        if self._info.file_size < n * height * width * 3:
            raise self._short(path)
        if n > MOST_ROWS:
            raise EvalkitError(f"arr_0 of {path} holds {n} images; split it into files of at most {MOST_ROWS}")

    def _short(self, path: Path) -> EvalkitError:
        return EvalkitError(f"{path} is shorter than its arr_0 {cut(str(self.shape), 60)} says; copy it again")

    def _next(self) -> Pixels:
        data = self._stream.read(self._bytes)
        if len(data) < self._bytes:
            raise OSError("the array ends early")
        self._at += 1
        return np.frombuffer(data, np.uint8).reshape(self.shape[1:])

    def _read_whole(self) -> npt.NDArray[np.uint8]:
        if self.shape[0] * self._bytes > MAX_WHOLE:
            raise EvalkitError(f"arr_0 of {self._path} is large and in Fortran order; save it in C order")
        data = self._stream.read(self.shape[0] * self._bytes)
        return np.frombuffer(data, np.uint8).reshape(self.shape, order="F")


def _labels(path: Path, n: int) -> list[str] | None:
    """The classes of `n` images; None where the array holds something else or cannot be read."""
    try:
        file = NpzFile(path)
        shape, dtype = file.shapes[LABELS]
        return [str(each) for each in file.read(LABELS).tolist()] if shape == (n,) and dtype.kind in "iu" else None
    except EvalkitError:
        return None


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if reader is None:
        raise ValueError(f"version {version} of the npy format")
    return partial(reader, max_header_size=4096)(stream)


def _data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Where a member's bytes begin in the archive."""
    with path.open("rb") as raw:
        raw.seek(info.header_offset + 26)
        name, extra = np.frombuffer(raw.read(4), "<u2")
    return info.header_offset + 30 + int(name) + int(extra)
