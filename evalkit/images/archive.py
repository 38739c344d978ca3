"""Zip archives of image files, and npz files of pixels."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.images.folder import MAX_FILE, is_image_name
from evalkit.images.loader import read_ahead, sample_from_bytes
from evalkit.images.sample import ImageSet, Sample, Unreadable


class ZipSet(ImageSet):
    """The image files of a zip archive by member name; `<stem>.txt` members are the true texts."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise EvalkitError(
                f"{path} is not a readable zip archive ({error}); expected one that holds images"
            ) from None
        self.spec, self.name = str(path), path.stem
        self._lock = threading.Lock()
        infos = [i for i in self._zip.infolist() if not i.is_dir() and is_image_name(i.filename)]
        self._infos = sorted((i for i in infos if "__MACOSX" not in i.filename), key=lambda i: i.filename)
        self._texts = {i.filename for i in self._zip.infolist() if i.filename.endswith(".txt")}

    def ids(self) -> Sequence[str]:
        """Member names, sorted."""
        return [info.filename for info in self._infos]

    def fingerprint(self, index: int) -> str:
        """Size and checksum that the archive states."""
        return f"{self._infos[index].file_size} {self._infos[index].CRC}"

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Samples in order; members are read one at a time, decoded by the threads."""
        return read_ahead(self._load, start, min(stop, len(self._infos)), threads)

    def _load(self, index: int) -> Sample | Unreadable:
        info = self._infos[index]
        stem = info.filename.rpartition(".")[0] + ".txt"
        meta: dict[str, Any] = {}
        if stem in self._texts:
            meta["text"] = self._member(stem, 2**20).decode("utf-8", "replace")
        return sample_from_bytes(info.filename, lambda: self._member(info.filename, MAX_FILE), meta)

    def _member(self, name: str, most: int) -> bytes:
        with self._lock:
            if self._zip.getinfo(name).file_size > most:
                raise OSError(f"the member unpacks to more than {most} bytes")
            try:
                return self._zip.read(name)
            except (zipfile.BadZipFile, NotImplementedError) as error:
                raise OSError(str(error)) from None


class NpzSet(ImageSet):
    """Images of an npz file: `arr_0`, uint8 [N, H, W, 3], as guided-diffusion's evaluator exchanges them."""

    def __init__(self, path: Path) -> None:
        self.spec, self.name = str(path), path.stem
        self._pixels = _open_array(path)
        self._state = f"{path.stat().st_size} {path.stat().st_mtime_ns}"

    def ids(self) -> Sequence[str]:
        """Row numbers with eight digits."""
        return [f"{i:08d}" for i in range(len(self._pixels))]

    def fingerprint(self, index: int) -> str:
        """Size and time of the whole file."""
        return self._state

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Rows in order; the sha256 of a sample is that of its pixel bytes."""
        for index in range(start, min(stop, len(self._pixels))):
            pixels = np.ascontiguousarray(self._pixels[index])
            yield Sample(f"{index:08d}", pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


def _open_array(path: Path) -> npt.NDArray[np.uint8]:
    """`arr_0` of the file, mapped instead of read where it is stored uncompressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo("arr_0.npy")
            array = _map(path, archive, info) if info.compress_type == zipfile.ZIP_STORED else None
        if array is None:
            with np.load(path, allow_pickle=False) as z:
                array = z["arr_0"]
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, EOFError) as error:
        raise EvalkitError(f"{path} is not an npz file with uint8 images arr_0 [N, H, W, 3] ({error})") from None
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3:
        raise EvalkitError(f"arr_0 of {path} is {array.dtype} {array.shape}; expected uint8 [N, H, W, 3]")
    return array


def _map(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> npt.NDArray[Any] | None:
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            return None
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        inside = stream.tell()
    with path.open("rb") as raw:
        raw.seek(info.header_offset + 26)
        name, extra = np.frombuffer(raw.read(4), "<u2")
    offset = info.header_offset + 30 + int(name) + int(extra) + inside
    if fortran or dtype.hasobject:
        return None
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)
