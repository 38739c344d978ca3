"""From codes to p-values: how green many images are under every list of a pool, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.watermark.exact import binomial_log_tail, pooled, smallest_log_p, unit_log_tail, weighted_log_tail
from evalkit.watermark.lists import Pool
from evalkit.watermark.sliced import greenest

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
CELLS = 2**21  # codes that are held at once


@dataclass(frozen=True)
class Scores:
    """One row per image.

    `codes` N, `distinct` U, `design_effect` sum c^2 / N, `list_id` the greenest list, `green` its score (weights summed),
    `log_p_list` its exact tail, `log_p` the same corrected for the pool, `log_p_floor` the smallest `log_p` that the
    image could have reached; natural logarithms. `z_uncalibrated` is the largest (g - gamma N) / sqrt(N gamma
    (1 - gamma)) over the pool, all N codes counted, as the LBW paper does: no p-value follows from it.
    """

    codes: Ints
    distinct: Ints
    design_effect: Floats
    list_id: Ints
    green: Ints
    log_p_list: Floats
    log_p: Floats
    log_p_floor: Floats
    z_uncalibrated: Floats


def scores_of(rows: Sequence[Sequence[float]]) -> Scores:
    """Scores of rows that each hold one image's values, in the order of the fields."""
    whole = ("codes", "distinct", "list_id", "green")
    names = list(Scores.__dataclass_fields__)
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    arrays: list[Any] = [
        np.array(column, dtype=np.int64 if name in whole else np.float64)
        for name, column in zip(names, columns, strict=True)
    ]
    return Scores(*arrays)


def score_codes(codes: npt.NDArray[np.integer[Any]], pool: Pool, *, cap: int = 1) -> Scores:
    """Scores of int codes [B, N] (negative: padding). A code that occurs c times has weight min(c, `cap`).

    Choose `cap` before the key is known: 1 counts distinct codes, 2 or 3 gain power where repeats are few.
    """
    if cap < 1:
        raise EvalkitError(f"cap is a whole number from 1; {cap} given")
    if codes.ndim != 2 or (codes.size and int(codes.max()) >= pool.vocabulary):
        raise EvalkitError(
            f"codes are [images, codes] below {pool.vocabulary}; shape {codes.shape} with a largest of "
            f"{int(codes.max()) if codes.size else 'none'} given. Is this the tokenizer that the pool was made for?"
        )
    step = max(1, CELLS // max(codes.shape[1], 1))
    parts = [_part(codes[start : start + step], pool, cap) for start in range(0, len(codes), step)]
    if not parts:
        parts = [_part(np.full((1, 1), -1), pool, cap)]
        return Scores(*(np.concatenate(column)[:0] for column in zip(*parts, strict=True)))
    return Scores(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _part(codes: npt.NDArray[np.integer[Any]], pool: Pool, cap: int) -> tuple[Any, ...]:
    gamma, lists = pool.scheme.gamma, pool.scheme.lists
    ordered = np.sort(np.where(codes < 0, pool.vocabulary, codes).astype(np.int64), axis=1)
    counts = first_counts(ordered, pool.vocabulary)
    n, distinct = counts.sum(1), (counts > 0).sum(1)
    weights = np.minimum(counts, cap)
    scored, beyond = copies_of(ordered, counts, pool.vocabulary, cap)
    best, green, most = greenest(scored, beyond, pool.sliced, lists)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(n > 0, (most - gamma * n) / np.sqrt(n * gamma * (1 - gamma)), 0.0)
        effect = np.where(n > 0, (counts.astype(np.float64) ** 2).sum(1) / n, 0.0)
    log_list, floor = _tails(ordered, counts, weights, green, pool, cap)
    tests = np.full(len(codes), float(lists))
    return n, distinct, effect, best, green, log_list, pooled(log_list, tests), pooled(floor, tests), z


def copies_of(ordered: Ints, counts: Ints, padding: int, cap: int) -> tuple[Ints, Ints]:
    """The first `cap` copies of every code of the sorted rows [B, N], and the copies beyond them, as rows with padding."""
    places = np.arange(ordered.shape[1])
    copy = places - np.maximum.accumulate(np.where(counts > 0, places, 0), axis=1)
    real = ordered < padding
    return _kept(ordered, real & (copy < cap), padding), _kept(ordered, real & (copy >= cap), padding)


def _kept(ordered: Ints, keep: npt.NDArray[np.bool_], padding: int) -> Ints:
    """The codes that are kept at the front of their rows, as wide as the longest row."""
    moved = np.sort(np.where(keep, ordered, padding), axis=1)
    return np.ascontiguousarray(moved[:, : int(keep.sum(1).max(initial=0))])


def first_counts(ordered: Ints, padding: int) -> Ints:
    """How often each code of the sorted rows [B, N] occurs, at its first place; 0 elsewhere and for `padding`."""
    width = ordered.shape[1]
    begins = np.ones(ordered.shape, dtype=bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    flat = np.flatnonzero(begins)
    ends = np.append(flat[1:], ordered.size)
    counts = np.zeros(ordered.size, dtype=np.int64)
    counts[flat] = np.minimum(ends, (flat // width + 1) * width) - flat
    found: Ints = np.where(ordered == padding, 0, counts.reshape(ordered.shape))
    return found


def _tails(ordered: Ints, counts: Ints, weights: Ints, green: Ints, pool: Pool, cap: int) -> tuple[Floats, Floats]:
    gamma = pool.scheme.gamma
    if pool.scheme.kind == "paired":
        found = [
            _unit_tails(o[c > 0], w[c > 0], int(g), pool)
            for o, c, w, g in zip(ordered, counts, weights, green, strict=True)
        ]
        return np.array([a for a, _ in found]), np.array([b for _, b in found])
    distinct = (counts > 0).sum(1)
    floor = smallest_log_p(distinct, gamma)
    if cap == 1:
        return binomial_log_tail(green, distinct, gamma), floor
    copies = np.stack([(weights == w).sum(1) for w in range(1, cap + 1)], 1)
    return np.array([weighted_log_tail(int(g), row, gamma) for g, row in zip(green, copies, strict=True)]), floor


def _unit_tails(codes: Ints, weights: Ints, green: int, pool: Pool) -> tuple[float, float]:
    members: dict[int, list[int]] = {}
    for unit, weight in zip(pool.units[codes], weights, strict=True):
        members.setdefault(int(unit), []).append(int(weight))
    size = round(1 / pool.scheme.gamma)
    units = [(each, size) for each in members.values()]
    last = pool.vocabulary // size  # codes beyond the whole groups are never green
    units = [u for unit, u in zip(members, units, strict=True) if unit < last]
    floor = sum(math.log(sum(w == max(weights) for w in weights) / size) for weights, _ in units)
    return unit_log_tail(green, units), floor
