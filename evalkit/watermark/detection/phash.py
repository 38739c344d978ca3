"""Perceptual hashes, and groups of images that are one image saved, scaled or recompressed again."""

from __future__ import annotations

from itertools import combinations, pairwise

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
FLAT = 2.0  # grey levels; images of less spread look alike whatever they are, and hash to 0
PARTS = (0, 11, 22, 33, 44, 54, 64)  # bits that end the six parts: two hashes within 4 bits agree in two of them
MOST = 256  # hashes with two equal parts that are compared with each, which keeps the work linear in their number


def phash(image: Pixels) -> int:
    """64 bits as a signed integer: the lowest 8 x 8 cosine coefficients of the 32 x 32 grey image, above their median
    or not; 0 for flat images.
    """
    grey = np.asarray(Image.fromarray(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float64)
    if grey.std() < FLAT:
        return 0
    low = dctn(grey, norm="ortho")[:KEPT, :KEPT].ravel()
    return int(np.packbits(low > np.median(low[1:])).view(">i8")[0])


def groups(hashes: Ints) -> Ints:
    """For each image the first image of its group, [n]: hashes that differ in at most 4 bits, chained; 0 joins none."""
    first = np.arange(len(hashes))
    where = np.flatnonzero(hashes)
    if not len(where):
        return first
    words, inverse = np.unique(hashes[where], return_inverse=True)
    unsigned = words.astype(np.uint64)
    edges = np.concatenate([_near(unsigned, one | other) for one, other in combinations(_parts(), 2)])
    graph = coo_matrix((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(len(words), len(words)))
    _, label = connected_components(graph, directed=False)
    _, earliest = np.unique(label[inverse], return_index=True)  # label k's first place among `where`
    first[where] = where[earliest[label[inverse]]]
    return first


def _parts() -> list[int]:
    return [(1 << end) - (1 << start) for start, end in pairwise(PARTS)]


def _near(words: npt.NDArray[np.uint64], mask: int) -> Ints:
    """Pairs [k, 2] of words that agree in all bits of `mask` and differ in at most 4 others."""
    keys = words & np.uint64(mask)
    order = np.lexsort((words, keys))
    keys, sorted_words = keys[order], words[order]
    found = [np.zeros((0, 2), np.int64)]
    left = np.arange(len(words) - 1)
    for step in range(1, MOST + 1):
        left = left[left + step < len(words)]
        left = left[keys[left] == keys[left + step]]
        if not len(left):
            break
        near = left[np.bitwise_count(sorted_words[left] ^ sorted_words[left + step]) <= NEAR]
        found.append(np.stack([order[near], order[near + step]], 1))
    return np.concatenate(found)
