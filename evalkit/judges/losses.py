"""Whether categories lose items alike: a filter that stops one kind of image turns into a lower score of that kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, fisher_exact

from evalkit.errors import EvalkitError

LEVEL = 0.01  # p below which a warning is given
_ENOUGH = 5.0  # expected count from which the chi-square distribution holds
_SHUFFLES = 10_000


@dataclass(frozen=True)
class LossTest:
    """`p` of equal rates of loss in all categories by `test`; `table`: (lost, all) of each; `warning` where p is small."""

    p: float
    test: str
    table: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    warning: str = ""


def loss_test(categories: Sequence[str], lost: Sequence[bool], *, level: float = LEVEL, seed: int = 0) -> LossTest:
    """The test of [n] `categories` and whether each item was `lost`.

    Fisher's exact test for two categories, Pearson's chi-square for more; where an expected count is below 5, its
    distribution comes from 10,000 shuffles of the items. Raises `EvalkitError` where the lengths differ.
    """
    if len(categories) != len(lost):
        raise EvalkitError(f"{len(categories)} categories and {len(lost)} losses were given. Give one of each an item")
    gone = Counter(name for name, hit in zip(categories, lost, strict=True) if hit)
    table = {name: (gone[name], n) for name, n in sorted(Counter(categories).items())}
    cells = np.array([(hits, n - hits) for hits, n in table.values()]).reshape(-1, 2)
    if len(table) < 2 or not cells.sum(0).all():
        return LossTest(1.0, "none: there is one category, or nothing or everything was lost", table)
    p, test = _p(cells, seed)
    return LossTest(p, test, table, _warning(table, p) if p < level else "")


def _p(cells: NDArray[np.int64], seed: int) -> tuple[float, str]:
    if len(cells) == 2:
        return float(fisher_exact(cells)[1]), "Fisher's exact test"
    found = chi2_contingency(cells, correction=False)
    if float(found.expected_freq.min()) >= _ENOUGH:
        return float(found.pvalue), "chi-square test"
    rng = np.random.default_rng(seed)
    sizes, gone = cells.sum(1), int(cells[:, 0].sum())
    drawn = rng.multivariate_hypergeometric(sizes, gone, size=_SHUFFLES).astype(np.float64)
    expected = sizes * gone / sizes.sum()
    weight = 1 / expected + 1 / (sizes - expected)
    seen = float((((cells[:, 0] - expected) ** 2) * weight).sum())
    as_far = int(((((drawn - expected) ** 2) * weight).sum(1) >= seen * (1 - 1e-9)).sum())
    return (as_far + 1) / (_SHUFFLES + 1), f"chi-square statistic over {_SHUFFLES:,} shuffles"


def _warning(table: Mapping[str, tuple[int, int]], p: float) -> str:
    order = sorted(table, key=lambda name: table[name][0] / table[name][1], reverse=True)
    most, least = order[0], order[-1]
    told = [f"{name} {table[name][0]} of {table[name][1]}" for name in (most, least)]
    small = "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
    return f"Categories lose items unequally ({small}): {told[0]}, but {told[1]}. Read the bounds, not the score alone."
