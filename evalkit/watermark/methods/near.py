"""Codes that lie near each other in the codebook: groups of two, four, eight …, and clusters of any size.

Both depend on the codebook alone, not on the key, and are computed in float64 in a fixed order; marks record the sha256
of the groups, so that a detector that finds others says so instead of testing the wrong thing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NEIGHBOURS = 10
SWEEPS = 40
PIECE = 2**22  # distances that are held at once
ROUNDS = 50
DRAWS = 4
_KEPT: dict[tuple[object, ...], Ints] = {}


def near_groups(vectors: Floats, size: int) -> Ints:
    """int64 [V]: an order of the codes in which each `size` (a power of two) that follow each other are near.

    Pairs are a matching of small total distance: greedy over the ten nearest of each code, then improved by exchanging
    partners until no exchange helps. Larger groups are pairs of pairs, by their means. Codes that fill no group come last.
    """
    if size < 2 or size & (size - 1):
        raise EvalkitError(f"groups of near codes hold 2, 4, 8, … codes (gamma 1/2, 1/4, 1/8, …); {size} given")
    return _once(_groups, vectors, size)


def clusters_of(vectors: Floats, count: int) -> Ints:
    """int64 [V]: the cluster of each code, by k-means++ and Lloyd's rounds with a fixed start; none is empty."""
    if not 2 <= count <= len(vectors):
        raise EvalkitError(f"clusters are 2 to {len(vectors)}, the number of codes; {count} given")
    return _once(_clusters, vectors, count)


def _groups(vectors: Floats, size: int) -> Ints:
    groups, means, left = np.arange(len(vectors))[:, None], vectors, []
    while groups.shape[1] < size:
        pairs = _pairs(means)
        alone = np.setdiff1d(np.arange(len(means)), pairs)
        left.append(groups[alone].ravel())
        groups, means = groups[pairs].reshape(len(pairs), -1), means[pairs].mean(1)
    return np.concatenate([groups.ravel(), *left[::-1]]).astype(np.int64)


def _clusters(vectors: Floats, count: int) -> Ints:
    centres = vectors[_start(vectors, count)]
    found = np.full(len(vectors), -1)
    for _ in range(ROUNDS):
        now, cost = _nearest(vectors, centres)
        for empty in np.setdiff1d(np.arange(count), now):  # takes the code that fits its centre least
            worst = int(np.argmax(np.where(np.bincount(now, minlength=count)[now] > 1, cost, -1.0)))
            now[worst], cost[worst] = empty, 0.0
        if np.array_equal(now, found):
            break
        found = now
        sums = np.stack([np.bincount(found, column, count) for column in vectors.T], axis=1)
        centres = sums / np.bincount(found, minlength=count)[:, None]
    return found.astype(np.int64)


def groups_digest(groups: Ints) -> str:
    """sha256 of which codes belong together."""
    return hashlib.sha256(np.asarray(groups, dtype="<i8").tobytes()).hexdigest()


def check_groups(found: str, expected: str | None, method: str) -> None:
    """Raise `EvalkitError` where the groups here are not those that the mark was made with."""
    if expected not in (None, found):
        raise EvalkitError(
            f"the groups of near codes that {method} finds here ({found[:12]}) are not those of the mark "
            f"({str(expected)[:12]}); give the weights of the tokenizer that the mark was made with"
        )


def _start(vectors: Floats, count: int) -> Ints:
    """k-means++ with numbers of a fixed stream: of four draws the one that leaves the smallest cost."""
    stream = np.frombuffer(hashlib.shake_256(b"evalkit-clusters/1").digest(8 * DRAWS * count), ">u8") / 2.0**64
    draws = stream.reshape(count, DRAWS)
    chosen = [int(draws[0, 0] * len(vectors))]
    cost = np.square(vectors - vectors[chosen[0]]).sum(1)
    for row in draws[1:]:
        mass = cost.cumsum()
        if mass[-1] <= 0:  # fewer different vectors than clusters
            picks = np.setdiff1d(np.arange(len(vectors)), chosen)[:1]
        else:
            picks = np.unique(np.minimum(np.searchsorted(mass, row * mass[-1], side="right"), len(vectors) - 1))
        after = [np.minimum(cost, np.square(vectors - vectors[pick]).sum(1)) for pick in picks]
        best = int(np.argmin([each.sum() for each in after]))
        chosen.append(int(picks[best]))
        cost = after[best]
        cost[chosen[-1]] = 0.0
    return np.array(chosen)


def _nearest(vectors: Floats, centres: Floats) -> tuple[Ints, Floats]:
    """(index of the nearest centre, squared distance to it) of each vector."""
    step, half = max(1, PIECE // len(centres)), 0.5 * np.square(centres).sum(1)
    now = np.concatenate([(half - vectors[i : i + step] @ centres.T).argmin(1) for i in range(0, len(vectors), step)])
    return now, np.square(vectors - centres[now]).sum(1)


def _once(work: Callable[[Floats, int], Ints], vectors: Floats, number: int) -> Ints:
    """Kept for the next mark on the same codebook."""
    at = (work.__name__, hashlib.sha256(np.ascontiguousarray(vectors).tobytes()).hexdigest(), vectors.shape, number)
    if at not in _KEPT:
        while len(_KEPT) >= 8:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[at] = work(vectors, number)
        _KEPT[at].setflags(write=False)
    return _KEPT[at]


def _pairs(vectors: Floats) -> Ints:
    """int64 [V // 2, 2]."""
    partner = np.full(len(vectors), -1)
    near = _neighbours(vectors, np.arange(len(vectors)))
    free = np.arange(len(vectors))
    while len(free) > 1:
        for a, b in _edges(vectors, free):
            if partner[a] < 0 and partner[b] < 0:
                partner[a], partner[b] = b, a
        free = np.flatnonzero(partner < 0)
    _improve(vectors, near, partner)
    first = np.flatnonzero((partner >= 0) & (np.arange(len(vectors)) < partner))
    return np.stack([first, partner[first]], axis=1)


def _neighbours(vectors: Floats, among: Ints) -> Ints:
    """int64 [n, k]: the nearest others of each code of `among`, nearest first."""
    k = min(NEIGHBOURS, len(among) - 1)
    inside, step = vectors[among], max(1, PIECE // len(among))
    half, rows = 0.5 * np.square(inside).sum(1), []
    for start in range(0, len(among), step):
        distance = half - inside[start : start + step] @ inside.T  # half of the squared one, less what all share
        distance[np.arange(len(distance)), np.arange(start, start + len(distance))] = np.inf
        few = np.sort(np.argpartition(distance, k - 1, axis=1)[:, :k], axis=1)
        order = np.argsort(np.take_along_axis(distance, few, 1), axis=1, kind="stable")
        rows.append(among[np.take_along_axis(few, order, 1)])
    return np.concatenate(rows)


def _edges(vectors: Floats, among: Ints) -> list[tuple[int, int]]:
    """Pairs of near codes, the nearest first."""
    near = _neighbours(vectors, among)
    pairs = np.stack([np.repeat(among, near.shape[1]), near.ravel()], axis=1)
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    length = np.square(vectors[pairs[:, 0]] - vectors[pairs[:, 1]]).sum(1).round(9)
    return [(int(a), int(b)) for a, b in pairs[np.argsort(length, kind="stable")]]


def _improve(vectors: Floats, near: Ints, partner: Ints) -> None:
    """Exchange the partners of two pairs wherever that shortens both together, the largest gains of a sweep first."""
    near = near[(partner >= 0)]  # of the code that is left alone nothing is exchanged
    own = np.flatnonzero(partner >= 0)
    for _ in range(SWEEPS):
        a, c = np.repeat(own, near.shape[1]), near.ravel()
        b, d = partner[a], partner[c]
        gain = _length(vectors, a, b) + _length(vectors, c, d) - _length(vectors, a, c) - _length(vectors, b, d)
        able = np.flatnonzero((d >= 0) & (c != b) & (gain > 1e-9))
        if not len(able):
            break
        touched = np.zeros(len(vectors), dtype=bool)
        for i in able[np.argsort(-gain[able], kind="stable")].tolist():
            four = [a[i], b[i], c[i], d[i]]
            if not touched[four].any():
                touched[four] = True
                partner[four] = [c[i], d[i], a[i], b[i]]


def _length(vectors: Floats, a: Ints, b: Ints) -> Floats:
    found: Floats = np.square(vectors[a] - vectors[b]).sum(1)
    return found
