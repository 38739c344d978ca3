"""Lists of clusters: near codes have one colour, so that a code that is read back as its neighbour keeps it.

After ClusterMark (arXiv 2508.06656), whose text was not at hand: number of clusters and share of green are parameters
here, and nothing is trained. The coin is the cluster: of all codes of a cluster that an image holds, one counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import make_pool
from evalkit.watermark.mark import Codes, Colours, LexicalBias, Mark, check_codes
from evalkit.watermark.methods.near import check_groups, clusters_of, groups_digest
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.score import Scores
from evalkit.watermark.spec import MarkSpec


class ClusterLists(LexicalBias):
    """LBW on the clusters of codes; `clusters` int64 [V] is the cluster of each."""

    method = "clusters"

    def __init__(self, spec: MarkSpec, key: Key, tokenizer: str, clusters: npt.NDArray[np.int64]) -> None:
        pool = make_pool(key, tokenizer, int(clusters.max()) + 1, spec.scheme())
        super().__init__(pool, key, tokenizer, spec.cap or 1)
        self.clusters = clusters
        self.spec = replace(spec, groups=groups_digest(clusters))

    def as_dict(self) -> dict[str, Any]:
        """Method, numbers, the clusters' sha256 and key_id."""
        return {**self.spec.as_dict(), "key_id": self.key.id}

    def score(self, codes: Codes) -> Scores:
        """The exact test over distinct clusters (each counted `cap` times at most)."""
        check_codes(codes, len(self.clusters))
        return super().score(self._of(codes))

    def colours(self, codes: Codes, list_id: int) -> Colours:
        """The colour of each code's cluster."""
        return super().colours(self._of(codes), list_id)

    def units(self, codes: Codes) -> npt.NDArray[np.int64]:
        """The cluster."""
        return self._of(codes)

    def green_codes(self, list_id: int) -> Colours:
        """All codes of green clusters."""
        green: Colours = self.pool.masks[list_id][self.clusters]
        return green

    def _of(self, codes: Codes) -> npt.NDArray[np.int64]:
        return np.where(codes < 0, -1, self.clusters[np.maximum(codes, 0)])


def clusters(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """The mark on the codebook of `subject`; raises `EvalkitError` where it has none, or no number of clusters is given."""
    subject.indices("clusters")
    if spec.clusters is None:
        raise EvalkitError("how many clusters of near codes? Give --clusters N (a sixteenth of the codes, for example)")
    found = clusters_of(subject.vectors("clusters"), spec.clusters)
    check_groups(groups_digest(found), spec.groups, "clusters")
    return ClusterLists(spec, key, subject.tokenizer, found)
