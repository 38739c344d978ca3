"""Mean and scatter of features, in float64, mergeable: what a Fréchet distance keeps of a set of any size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.metrics.npz import arrays_of

Array = npt.NDArray[np.float64]
BLOCK = 2048  # rows folded by one matrix product
STRIP = 256  # rows of a scatter that are added at once


@dataclass(frozen=True)
class Moments:
    """Count, mean [d], and centred second moment [d, d] (`scatter`: the sum of outer products) of n features."""

    n: int
    mean: Array
    scatter: Array

    @property
    def dim(self) -> int:
        """Number of features."""
        return len(self.mean)

    def covariance(self) -> Array:
        """Sample covariance [d, d] (n - 1 in the denominator), the caller's own; needs two samples."""
        if self.n < 2:
            raise EvalkitError(f"a covariance needs at least 2 samples; {self.n} given")
        return np.divide(self.scatter, self.n - 1, out=np.empty(self.scatter.shape, order="F"))


def features_to_statistics(features: npt.NDArray[Any]) -> Moments:
    """Moments of features [n, d] (any float type; everything is summed in float64)."""
    if features.ndim != 2 or len(features) == 0:
        raise EvalkitError(f"features come as [n, d] with n from 1; shape {features.shape} was given")
    x = np.array(features, np.float64)
    mean = x.mean(0)
    x -= mean
    return Moments(len(x), mean, x.T @ x)


def merge(a: Moments, b: Moments) -> Moments:
    """Moments of the union (Chan, Golub and LeVeque 1979); associative and commutative up to rounding."""
    if a.dim != b.dim:
        raise EvalkitError(f"features of {a.dim} and of {b.dim} dimensions cannot be merged; use one extractor")
    return _into(b.scatter.copy(), a, b)


def _into(scatter: Array, a: Moments, b: Moments) -> Moments:
    """The union, in the memory of `scatter`, which may be that of `b`; a matrix of 2,048 features takes 34 MB."""
    n = a.n + b.n
    delta = b.mean - a.mean
    right = delta * (a.n * b.n / n)
    for start in range(0, len(delta), STRIP):
        rows = slice(start, start + STRIP)
        part = np.outer(delta[rows], right)
        part += a.scatter[rows]
        scatter[rows] = np.add(part, b.scatter[rows], out=part)
    return Moments(n, a.mean + delta * (b.n / n), scatter)


def fold(chunks: Iterable[npt.NDArray[Any]]) -> Moments:
    """Moments of features that come in chunks [n_i, d], folded in blocks of fixed size so that chunking never matters."""
    return summed(blocks(chunks))


def summed(parts: Iterable[npt.NDArray[Any]]) -> Moments:
    """Moments of features [n_i, d], added in their order; memory holds two scatters."""
    total: Moments | None = None
    for each in parts:
        part = features_to_statistics(each)
        del each
        total = part if total is None else _into(part.scatter, total, part)
    if total is None:
        raise EvalkitError("there are no features to take statistics of. Give at least one image")
    return total


def blocks(chunks: Iterable[npt.NDArray[Any]], rows: int = BLOCK) -> Iterable[npt.NDArray[Any]]:
    """The rows of all chunks again, `rows` at a time."""
    held: list[npt.NDArray[Any]] = []
    count = 0
    for chunk in chunks:
        while len(chunk):
            take = chunk[: rows - count]
            held.append(take)
            count += len(take)
            chunk = chunk[len(take) :]
            if count == rows:
                yield np.concatenate(held)
                held, count = [], 0
    if held:
        yield np.concatenate(held)


def save_moments(path: Path | IO[bytes], **named: Moments) -> None:
    """Write moments to an npz file or stream; the symmetric scatter is kept as its upper triangle."""
    arrays: dict[str, Any] = {}
    for name, m in named.items():
        arrays[f"{name}.n"] = np.array(m.n)
        arrays[f"{name}.mean"] = m.mean
        arrays[f"{name}.scatter"] = m.scatter[np.triu_indices(m.dim)]
    np.savez_compressed(path, **arrays)


def load_moments(path: Path) -> dict[str, Moments]:
    """Read what `save_moments` wrote."""
    found: dict[str, Moments] = {}
    held = arrays_of(path)
    try:
        for name in sorted({key.rpartition(".")[0] for key in held}):
            mean = held[f"{name}.mean"]
            scatter = np.zeros((len(mean), len(mean)))
            scatter[np.triu_indices(len(mean))] = held[f"{name}.scatter"]
            found[name] = Moments(int(held[f"{name}.n"]), mean, scatter + np.triu(scatter, 1).T)
    except DAMAGED:
        raise EvalkitError(f"{path} holds no moments. Check its run: evalkit verify {path.parent.parent}") from None
    return found
