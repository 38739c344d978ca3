"""A Merkle tree over a run's samples, so that one sample can be shown to belong to a run without the others.

Leaves and inner nodes are hashed in different domains (RFC 6962, section 2.1), and the tree of n leaves splits at the
largest power of two below n. A leaf is the canonical JSON of a row of samples.parquet; numbers that JSON lacks are
written as {"number": "inf"}, so that no text can pass for them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json
from evalkit.runs.tables import rows_of

ROWS = 4096
LEAF, NODE = b"\0evalkit sample v1\0", b"\1evalkit sample v1\0"
EMPTY = hashlib.sha256(LEAF).digest()


@dataclass(frozen=True)
class Proof:
    """Sibling digests from the leaf at `index` of `count` up to the root."""

    index: int
    count: int
    path: tuple[bytes, ...]


def leaf(row: Mapping[str, Any]) -> bytes:
    """The digest of one row; equal rows have equal digests whatever the order of their columns."""
    said = canonical_json({str(key): _plain(value) for key, value in row.items()})
    return hashlib.sha256(LEAF + said).digest()


def leaves(samples: pa.Table) -> list[bytes]:
    """The digests of a table's rows, in order."""
    return [leaf(row) for batch in samples.to_batches(max_chunksize=ROWS) for row in batch.to_pylist()]


def leaves_of(path: Path) -> list[bytes]:
    """The digests of the rows of a Parquet file, of which memory holds a few thousand at a time."""
    return [leaf(row) for row in rows_of(path, ROWS)]


def root(digests: Sequence[bytes]) -> bytes:
    """The root over leaf digests; that of no leaves is a constant.

    >>> root([leaf({"id": "a"})]) == leaf({"id": "a"})
    True
    """
    return _levels(digests)[-1][0] if digests else EMPTY


def proofs(digests: Sequence[bytes]) -> Iterator[Proof]:
    """For every leaf, in order, the proof that it is under `root(digests)`."""
    levels = _levels(digests)
    for index in range(len(digests)):
        path = []
        for height, level in enumerate(levels[:-1]):
            beside = (index >> height) ^ 1
            if beside < len(level):
                path.append(level[beside])
        yield Proof(index, len(digests), tuple(path))


def proven_root(digest: bytes, proof: Proof) -> bytes:
    """The root that `digest` leads to by `proof`; it belongs to a run if this is the run's root.

    Raises `EvalkitError` where the proof has not as many steps as its index and count ask for.
    """
    at, count, left = proof.index, proof.count, list(proof.path)
    while count > 1:
        if (at ^ 1) < count:
            if not left:
                raise EvalkitError("the proof is too short for its number of samples")
            beside = left.pop(0)
            digest = _node(beside, digest) if at % 2 else _node(digest, beside)
        at, count = at // 2, (count + 1) // 2
    if left:
        raise EvalkitError("the proof is too long for its number of samples")
    return digest


def _levels(digests: Sequence[bytes]) -> list[list[bytes]]:
    """From the leaves to the root; an odd one out moves up, which gives the same tree as splitting at powers of two."""
    levels = [list(digests)]
    while len(level := levels[-1]) > 1:
        pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        levels.append(pairs + level[len(level) // 2 * 2 :])
    return levels


def _node(a: bytes, b: bytes) -> bytes:
    return hashlib.sha256(NODE + a + b).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return {type(value).__name__: str(value)}
