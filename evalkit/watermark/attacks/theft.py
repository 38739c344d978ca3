"""Stealing green lists from the codes of many marked images, by an attacker who has the tokenizer and no key.

One fixed list shows in how often each code occurs; a pool of lists with balanced membership does not, but images that
share a list still resemble each other in which codes they hold. How well a list was recovered is an AUC: the chance that
a green code scores above a red one, 0.5 for a guess.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator, svds
from scipy.stats import rankdata

from evalkit.errors import EvalkitError

Codes = npt.NDArray[np.integer[Any]]
Scores = npt.NDArray[np.float64]
Green = npt.NDArray[np.bool_]


def theft_histogram(marked: Codes, clean: Codes, vocabulary: int, *, smoothing: float = 0.5) -> Scores:
    """Score float64 [V] of every code: log of its share among marked images' codes over that among clean ones'.

    `marked` [M, N] and `clean` [M', N'] are int codes (negative: padding, not counted); `smoothing` is added to every
    count. Raises `EvalkitError` for codes outside the vocabulary.
    """
    counts = [_counts(each, vocabulary) + smoothing for each in (marked, clean)]
    shares = [each / each.sum() for each in counts]
    scores: Scores = np.log(shares[0] / shares[1])
    return scores


def theft_cooccurrence(
    marked: Codes, vocabulary: int, lists: int, *, method: Literal["kmeans", "nmf"] = "kmeans", seed: int = 0
) -> Scores:
    """Scores float64 [lists, V]: what sets the images of each supposed list apart in the codes that they hold.

    Images become vectors of which codes occur; `kmeans` groups the images in the space of their `lists` main
    directions and scores a code by the difference of its rate inside and outside the group, `nmf` factors the vectors
    themselves. Raises `EvalkitError` with fewer images than lists.
    """
    present = _indicator(marked, vocabulary)
    if present.shape[0] <= lists:
        raise EvalkitError(f"{present.shape[0]} marked images are too few for {lists} lists; give more images")
    return _by_groups(present, lists, seed) if method == "kmeans" else _by_factors(present, lists, seed)


def list_auc(scores: Scores, green: Green, *, among: Green | None = None) -> float:
    """The chance that a green code scores above a red one; ties count half. `among`: bool [V], only these codes count.

    Raises `EvalkitError` where no green or no red code is left.

    >>> list_auc(np.array([0.1, 0.9, 0.8, 0.2]), np.array([False, True, True, False]))
    1.0
    """
    kept = np.ones(len(green), dtype=bool) if among is None else among
    marked, ranks = green[kept], rankdata(scores[kept])
    positive, negative = int(marked.sum()), int((~marked).sum())
    if not positive or not negative:
        raise EvalkitError("an AUC needs green and red codes; none of one kind is left to compare")
    return float((ranks[marked].sum() - positive * (positive + 1) / 2) / (positive * negative))


def lists_auc(scores: Scores, greens: Green, *, among: Green | None = None) -> npt.NDArray[np.float64]:
    """AUC float64 [m] of every true list `greens` [m, V] by the best one-to-one match with `scores` [k, V], k >= m.

    The thief does not know which of the found lists is which; the match is the one with the largest sum. With m lists it
    finds something among noise too: compare with the same on codes of clean images.
    """
    if len(scores) < len(greens):
        raise EvalkitError(
            f"{len(scores)} found lists cannot be matched with {len(greens)} true ones; ask for more lists"
        )
    table = np.array([[list_auc(row, green, among=among) for row in scores] for green in greens])
    rows, columns = linear_sum_assignment(-table)
    found: npt.NDArray[np.float64] = table[rows, columns]
    return found


def occurring(codes: Codes, vocabulary: int, *, times: int = 1) -> Green:
    """bool [V]: codes that occur at least so often; of others nothing can be learned."""
    enough: Green = _counts(codes, vocabulary) >= times
    return enough


def _counts(codes: Codes, vocabulary: int) -> Scores:
    flat = np.asarray(codes).ravel()
    flat = flat[flat >= 0]
    if not flat.size or int(flat.max()) >= vocabulary:
        raise EvalkitError(
            f"codes lie in 0..{vocabulary - 1}, and there is at least one; give the tokenizer's vocabulary"
        )
    return np.bincount(flat, minlength=vocabulary).astype(np.float64)


def _indicator(codes: Codes, vocabulary: int) -> csr_matrix:
    _counts(codes, vocabulary)
    rows = [np.unique(row[row >= 0]) for row in np.asarray(codes)]
    ends = np.cumsum([0, *(len(row) for row in rows)])
    values = np.ones(int(ends[-1]))
    return csr_matrix((values, np.concatenate(rows), ends), shape=(len(rows), vocabulary))


def _by_groups(present: csr_matrix, lists: int, seed: int) -> Scores:
    from sklearn.cluster import KMeans

    places = _main_directions(present, lists, seed)
    groups = KMeans(lists, n_init=10, random_state=seed).fit_predict(places)
    total, everyone = np.asarray(present.sum(0)).ravel(), present.shape[0]
    scores = []
    for group in range(lists):
        inside = groups == group
        size = int(inside.sum())
        here = np.asarray(present[inside].sum(0)).ravel()
        scores.append((here + 0.5) / (size + 1) - (total - here + 0.5) / (everyone - size + 1))
    return np.array(scores)


def _main_directions(present: csr_matrix, count: int, seed: int) -> Scores:
    """[M, count]: the images along the main directions of the centred vectors, which are never made dense."""
    mean = np.asarray(present.mean(0)).ravel()
    ones = np.ones(present.shape[0])
    centred = LinearOperator(
        present.shape,
        matvec=lambda v: present @ v.ravel() - ones * (mean @ v.ravel()),
        rmatvec=lambda u: present.T @ u.ravel() - mean * u.sum(),
        dtype=np.float64,
    )
    count = min(count, min(present.shape) - 1)
    start = np.random.default_rng(seed).standard_normal(min(present.shape))
    u, s, _ = svds(centred, k=count, v0=start)
    places: Scores = u * s
    return places


def _by_factors(present: csr_matrix, lists: int, seed: int) -> Scores:
    from sklearn.decomposition import NMF

    model = NMF(lists, init="nndsvda", random_state=seed, tol=1e-3, max_iter=2000)
    model.fit(present)
    parts: Scores = np.asarray(model.components_, dtype=np.float64)
    shares = parts / np.maximum(parts.sum(1, keepdims=True), 1e-12)
    common = np.asarray(present.mean(0)).ravel()
    scores: Scores = np.log((shares + 1e-9) / (common / common.sum() + 1e-9))
    return scores
