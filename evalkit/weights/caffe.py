"""Reading the weights of a .caffemodel: Caffe's NetParameter message, without Caffe or protobuf.

Fields by number (BVLC/caffe, src/caffe/proto/caffe.proto): NetParameter.layer 100; LayerParameter.name 1, blobs 7;
BlobProto.data 5 (packed floats), shape 7; BlobShape.dim 1 (packed). Blobs of files before 2015 have no shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import WeightsError

Blobs = list[np.ndarray[Any, np.dtype[np.float32]]]
LAYER, NAME, BLOBS, DATA, SHAPE, DIM = 100, 1, 7, 5, 7, 1


def read_caffemodel(path: Path) -> dict[str, Blobs]:
    """The blobs (float32, in their own shapes) of each layer that has some, by the layer's name.

    Raises `WeightsError` for any other file.
    """
    try:
        found = dict(_layers(memoryview(path.read_bytes())))
    except OSError:
        raise
    except Exception as error:  # a broken or forged file can fail in any way at all
        raise _broken(path, str(error) or type(error).__name__) from None
    if not found:
        raise _broken(path, "it holds no layer with weights")
    return found


def _broken(path: Path, reason: str) -> WeightsError:
    return WeightsError(f"{path.name} cannot be read as a .caffemodel: {reason}. Fetch it again")


def _layers(data: memoryview) -> Iterator[tuple[str, Blobs]]:
    for number, value in _fields(data):
        if number == LAYER and isinstance(value, memoryview):
            parts = list(_fields(value))
            name = next(bytes(v).decode() for n, v in parts if n == NAME and isinstance(v, memoryview))
            blobs = [_blob(v) for n, v in parts if n == BLOBS and isinstance(v, memoryview)]
            if blobs:
                yield name, blobs


def _blob(data: memoryview) -> np.ndarray[Any, np.dtype[np.float32]]:
    parts = [(n, v) for n, v in _fields(data) if isinstance(v, memoryview)]
    values = np.concatenate([np.frombuffer(v, "<f4") for n, v in parts if n == DATA])
    shape = [dim for n, v in parts if n == SHAPE for dim in _dims(v)]
    return values.reshape(shape).copy() if shape else values


def _dims(shape: memoryview) -> Iterator[int]:
    for number, value in _fields(shape):
        if number != DIM:
            continue
        if isinstance(value, int):
            yield value
            continue
        at = 0
        while at < len(value):
            dim, at = _varint(value, at)
            yield dim


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of the fields of a message: whole numbers, or bytes of what has a length or a fixed size."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if kind == 2:
            size, at = _varint(data, at)
        if size is None or at + size > len(data):
            raise ValueError("a field does not end within it")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """(number, place behind it)."""
    number = shift = 0
    while shift < 64:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
    raise ValueError("a number does not end")
