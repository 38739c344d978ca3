"""Messages of named fields, such as model, user and epoch: from text to bits and back.

A layout is `model:8,user:24`: names with their bits, the first one highest. A message is `model=3,user=90210`, or the
whole of it as one number, `0x03016062`. A value that starts with # stands for a text too long to carry, such as the id
of a C2PA manifest: the first bits of its SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError

MOST_BITS, LEAST_BITS, STEP = 64, 8, 4  # of a message, and what its bits are a multiple of
MOST_CANDIDATES = 2**24
HINT = "Give names with their bits, such as model:8,user:24,epoch:8"


@dataclass(frozen=True)
class Field:
    """A named number of `bits`."""

    name: str
    bits: int

    def value(self, text: str) -> int:
        """The number that a text stands for; raises `EvalkitError` where it needs more bits."""
        if text.startswith("#"):
            return int.from_bytes(hashlib.sha256(text[1:].encode()).digest(), "big") >> (256 - self.bits)
        try:
            number = int(text, 0)
        except ValueError:
            raise EvalkitError(
                f"{self.name}={text} is no whole number. Give one, or #TEXT for the digest of a text"
            ) from None
        if not 0 <= number < 1 << self.bits:
            raise EvalkitError(f"{self.name}={text} does not fit {self.bits} bits. Give 0 to {(1 << self.bits) - 1}")
        return number


def read_layout(text: str) -> tuple[Field, ...]:
    """The fields of a layout; raises `EvalkitError` where it is none, or needs more than 64 bits.

    >>> [field.bits for field in read_layout("model:8,user:24")]
    [8, 24]
    """
    found = [re.fullmatch(r"([a-z][a-z0-9_-]*):([1-9][0-9]?)", part.strip()) for part in text.split(",")]
    fields = tuple(Field(each[1], int(each[2])) for each in found if each)
    if len(fields) < len(found) or len({field.name for field in fields}) < len(fields):
        raise EvalkitError(f"{text!r} is no layout of a message. {HINT}")
    if sum(field.bits for field in fields) > MOST_BITS:
        raise EvalkitError(f"{text} needs more than {MOST_BITS} bits. Give shorter fields")
    return fields


def width(fields: Sequence[Field]) -> int:
    """Bits of a message: those of its fields, rounded up to a multiple of 4 and to 8."""
    total = sum(field.bits for field in fields)
    return max(LEAST_BITS, -(-total // STEP) * STEP)


def packed(fields: Sequence[Field], text: str) -> int:
    """The message that `text` says; raises `EvalkitError` where a field is missing, unknown or too large.

    >>> hex(packed(read_layout("model:8,user:24"), "user=90210,model=3"))
    '0x3016062'
    """
    if "=" not in text:
        return Field("the message", sum(field.bits for field in fields)).value(text)
    (found,) = _ranges(fields, text, single=True)
    return int(found)


def said(fields: Sequence[Field], message: int) -> str:
    """A message as text, field by field.

    >>> said(read_layout("model:8,user:24"), 0x3016062)
    'model=3,user=90210'
    """
    values = []
    for field in reversed(fields):
        values.append(f"{field.name}={message & ((1 << field.bits) - 1)}")
        message >>= field.bits
    return ",".join(reversed(values))


def candidates(fields: Sequence[Field], text: str) -> npt.NDArray[np.uint64]:
    """uint64 [C], ascending: every message that `text` allows, such as `model=3,user=0-999999`.

    Raises `EvalkitError` as `packed`, and where there are more than 2^24.
    """
    return np.array(_ranges(fields, text, single=False), dtype=np.uint64)


def _ranges(fields: Sequence[Field], text: str, *, single: bool) -> npt.NDArray[np.uint64]:
    given = dict(part.strip().partition("=")[::2] for part in text.split(","))
    wrong = [name for name in given if name not in {field.name for field in fields}]
    missing = [field.name for field in fields if field.name not in given]
    if wrong or missing:
        trouble = f"has no field {wrong[0]}" if wrong else f"needs {missing[0]}=NUMBER"
        raise EvalkitError(f"the message {trouble}. Its fields are {', '.join(field.name for field in fields)}")
    bounds = [_bounds(field, given[field.name], single=single) for field in fields]
    if np.prod([float(high - low + 1) for low, high in bounds]) > MOST_CANDIDATES:
        raise EvalkitError(f"{text} allows more than {MOST_CANDIDATES:,} messages. Give narrower ranges")
    found = np.zeros(1, np.uint64)
    for field, (low, high) in zip(fields, bounds, strict=True):
        values = np.arange(low, high + 1, dtype=np.uint64)
        found = ((found[:, None] << np.uint64(field.bits)) | values).ravel()
    return found


def _bounds(field: Field, text: str, *, single: bool) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if single or not high:
        return field.value(text), field.value(text)
    pair = field.value(low), field.value(high)
    if pair[0] > pair[1]:
        raise EvalkitError(f"{field.name}={text} ends before it begins. Give the smaller number first")
    return pair
