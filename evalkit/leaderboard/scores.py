"""One number by its samples, as comparisons take it: values, weights, prompts, and what the samples are called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evalkit.stats.units import Array, Units, units_of

Names = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Scores:
    """One number by its samples: sum of `values` over sum of `weights`, both [n], times `gradient` for its function.

    `ids` [n] are the run's own, `clusters` [n] prompts (None where every sample is alone). `called` [n]: what the samples
    are called among all runs, where that is not their id. `own` [n]: what each sample measured, where that is not its
    value. Samples stand in the order of what they are called, of which
    `digest` is the digest, so that the order of a file decides nothing.
    """

    ids: Names
    values: Array
    weights: Array | None
    gradient: float
    clusters: Names | None
    digest: str
    called: Names | None = None
    own: Array | None = None

    @property
    def plain(self) -> bool:
        """Whether the number is the mean of the values."""
        return self.weights is None and self.gradient == 1.0

    @property
    def binary(self) -> bool:
        """Whether every value is 0 or 1."""
        return self.plain and bool(np.all((self.values == 0) | (self.values == 1)))

    @property
    def infinite(self) -> int:
        """How many values are infinite, as the PSNR of identical images is."""
        return int(np.isinf(self.values if self.own is None else self.own).sum())

    @property
    def units(self) -> Units:
        """The samples, or the prompts that they belong to."""
        if self.weights is None:
            return units_of(self.values, self.clusters)
        top, bottom = units_of(self.values, self.clusters), units_of(self.weights, self.clusters)
        return Units(top.top, bottom.top, top.clustered)

    @property
    def names(self) -> Names:
        """The name of each unit, in the order of `units`."""
        return self.samples if self.clusters is None else np.unique(self.clusters)

    @property
    def samples(self) -> Names:
        """What each sample is called among all runs."""
        return self.ids if self.called is None else self.called

    def renamed(self, called: Mapping[str, str]) -> Scores:
        """The same samples under the names that `called` has for their ids."""
        names = np.array([called.get(each, each) for each in map(str, self.ids)], object)
        order = np.argsort(names, kind="stable")
        return Scores(
            self.ids[order],
            self.values[order],
            None if self.weights is None else self.weights[order],
            self.gradient,
            None if self.clusters is None else self.clusters[order],
            names_digest(names[order]),
            names[order],
            None if self.own is None else self.own[order],
        )


@dataclass(frozen=True)
class Restricted:
    """A number on some samples of a run only: its `scores` and `value`, and the `rows` of the table."""

    scores: Scores
    value: float
    rows: pa.Table


def names_digest(names: Names) -> str:
    """sha256 over names in their order."""
    return hashlib.sha256("\0".join(map(str, names)).encode("utf-8", "surrogatepass")).hexdigest()
