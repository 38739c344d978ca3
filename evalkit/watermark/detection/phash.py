"""Perceptual hashes, and groups of pictures that are one picture saved, scaled or recompressed again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from evalkit.images.sample import Pixels

Ints = npt.NDArray[np.int64]
SIDE, KEPT = 32, 8
NEAR = 4  # bits of 64 that may differ
FLAT = 2.0  # grey levels; pictures of less spread look alike whatever they are, and hash to 0
RUNS = ((0, 13), (13, 13), (26, 13), (39, 13), (52, 12))  # two hashes within 4 bits agree in one of these
MOST = 2048  # hashes with an equal run that are compared at once, which keeps the work linear in their number


def phash(image: Pixels) -> int:
    """64 bits as a signed integer: the lowest 8 x 8 cosine coefficients of the 32 x 32 grey picture, above their median
    or not; 0 for flat pictures.
    """
    grey = np.asarray(Image.fromarray(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float64)
    if grey.std() < FLAT:
        return 0
    low = dctn(grey, norm="ortho")[:KEPT, :KEPT].ravel()
    return int(np.packbits(low > np.median(low[1:])).view(">i8")[0])


def groups(hashes: Ints) -> Ints:
    """For each picture the first picture of its group, [n]: hashes that differ in at most 4 bits, chained; 0 joins none."""
    first = np.arange(len(hashes))
    where = np.flatnonzero(hashes)
    if not len(where):
        return first
    words, inverse = np.unique(hashes[where], return_inverse=True)
    unsigned = words.astype(np.uint64)
    pairs = [np.zeros((0, 2), np.int64)]
    for shift, width in RUNS:
        run = (unsigned >> np.uint64(shift)) & np.uint64(2**width - 1)
        order = np.argsort(run, kind="stable")
        bounds = np.flatnonzero(np.diff(run[order])) + 1
        for start, stop in zip([0, *bounds], [*bounds, len(order)], strict=True):
            for begin in range(start, stop, MOST):
                pairs += _near(order[begin : min(begin + MOST, stop)], unsigned)
    edges = np.concatenate(pairs)
    graph = coo_matrix((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(len(words), len(words)))
    _, label = connected_components(graph, directed=False)
    _, earliest = np.unique(label[inverse], return_index=True)  # label k's first place among `where`
    first[where] = where[earliest[label[inverse]]]
    return first


def _near(members: Ints, words: npt.NDArray[np.uint64]) -> list[npt.NDArray[np.int64]]:
    found = []
    for i, a in enumerate(members[:-1].tolist()):
        near = members[i + 1 :][np.bitwise_count(words[members[i + 1 :]] ^ words[a]) <= NEAR]
        if len(near):
            found.append(np.stack([np.full(len(near), a), near], 1))
    return found
