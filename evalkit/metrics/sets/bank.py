"""Features of a set of any size in a temporary file, read by blocks in the order of the images."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.rows import Index

_READ = 4096  # rows that a merge copies at once
_AT_ONCE = hasattr(os, "preadv")  # reading at a place is one call


class FeatureBank:
    """Rows [n, d] that came in any order and in any batches; they read in the order of their image numbers.

    Memory holds the image numbers only: the features, in float32 (float64 where they came so), are in a file that
    vanishes with the bank. `folder`: where that file lies, else the system's place for temporary files.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (lives as long as the bank)
        self._lock = threading.Lock()
        self._numbers: list[Index] = []
        self._order: Index | None = None
        self._dtype: np.dtype[Any] = np.dtype(np.float32)
        self._n, self._d = 0, 0
        self._counted = True

    def add(self, features: npt.NDArray[Any], numbers: Index | None = None) -> None:
        """Append features [k, d] of the images with these `numbers` [k]; without, they count on from what is there.

        Raises where a value is not a finite number, or the dimensions are not those of the bank.
        """
        features = np.asarray(features)
        self._check(features)
        k = len(features)
        if k == 0:
            return
        if not self._n:
            self._d = features.shape[1]
            self._dtype = np.dtype(np.float64 if features.dtype == np.float64 else np.float32)
        given = np.arange(self._n, self._n + k) if numbers is None else np.asarray(numbers, np.int64)
        if given.shape != (k,):
            raise EvalkitError(f"{k} images need {k} numbers; {given.shape} were given. Give one number an image.")
        with self._lock:
            self._file.seek(self._n * self._width)
            self._file.write(np.ascontiguousarray(features, self._dtype).tobytes())
        self._numbers.append(given)
        self._counted &= numbers is None
        self._n += k
        self._order = None

    def merge(self, other: FeatureBank) -> None:
        """Append another bank's rows under their own image numbers, or counted on where neither was given any."""
        counted = self._counted and other._counted
        for start in range(0, other._n, _READ):
            part = np.arange(start, min(start + _READ, other._n))
            self.add(other._stored(part), None if counted else other._all_numbers()[part])

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""
        return self._n, self._d

    def __len__(self) -> int:
        """Number of images."""
        return self._n

    def __getitem__(self, key: Any, /) -> Any:
        """Rows of a slice or of an integer array, counted in the order of the image numbers.

        Raises where an image number came twice.
        """
        return self._stored(self._sorted()[key])

    def numbers(self) -> Index:
        """The image numbers in ascending order."""
        return self._all_numbers()[self._sorted()]

    @property
    def _width(self) -> int:
        return self._d * self._dtype.itemsize

    def _all_numbers(self) -> Index:
        if len(self._numbers) > 1:
            self._numbers = [np.concatenate(self._numbers)]
        return self._numbers[0] if self._numbers else np.zeros(0, np.int64)

    def _sorted(self) -> Index:
        if self._order is None:
            numbers = self._all_numbers()
            order = np.argsort(numbers, kind="stable")
            twice = numbers[order][1:][np.diff(numbers[order]) == 0]
            if len(twice):
                raise EvalkitError(f"Image {twice[0]} came twice. Give each image of a set one number of its own.")
            self._order = order
        return self._order

    def _stored(self, places: Index) -> npt.NDArray[Any]:
        """Rows by their place in the file; neighbours are read together."""
        out = np.empty((len(places), self._d), self._dtype)
        if not out.size:
            return out
        breaks = np.flatnonzero(np.diff(places) != 1) + 1
        starts, stops = [0, *breaks.tolist()], [*breaks.tolist(), len(places)]
        into, width, file = out.view(np.uint8).reshape(-1).data, self._width, self._file.fileno()
        with self._lock:
            for start, stop, place in zip(starts, stops, places[starts].tolist(), strict=True):
                if _AT_ONCE:
                    os.preadv(file, [into[start * width : stop * width]], place * width)
                else:
                    self._file.seek(place * width)
                    self._file.readinto(into[start * width : stop * width])
        return out

    def _check(self, features: npt.NDArray[Any]) -> None:
        if features.ndim != 2 or (self._n and features.shape[1] != self._d):
            wanted = f"[k, {self._d}]" if self._n else "[k, d]"
            raise EvalkitError(
                f"Features come as {wanted}; {features.shape} was given. Use one encoder for a whole set."
            )
        if features.dtype.kind not in "fiub":
            raise EvalkitError(f"Features are numbers; {features.dtype} was given. Give what an encoder returns.")
        bad = np.flatnonzero(~np.isfinite(features).all(1))
        if len(bad):
            raise EvalkitError(
                f"Features of image {bad[0]} of this batch are not finite. Check that image and the encoder's precision."
            )
