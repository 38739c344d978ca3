"""Where a marked image lacks its mark: windows with fewer green units than the image's other units foretell.

In an image that carries the mark equally well everywhere, which of its distinct units are red has nothing to do with
where they lie. So colours are dealt out anew among the units, and the largest lack over all windows is compared with what
such deals give: the chance of any gap is at most the level. Repeats are one unit, so a plain ground of one red code is
no gap. A model that had less choice in one part of the image leaves fewer green codes there; that is a gap as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evalkit.watermark.decoys.regions import Floats, Region, Window, chosen

DEALS = 999
Bools = npt.NDArray[np.bool_]


def gaps_of(
    green: Bools, units: npt.NDArray[np.int64], cells: Bools, tried: Sequence[Window], level: float, seed: int
) -> tuple[Region, ...]:
    """Windows [W] of the codes [N] `cells` [W, N] that lack green units; `green` and `units` [N] of the codes (-1: none)."""
    kinds, first, at = np.unique(units, return_index=True, return_inverse=True)
    kept = kinds >= 0
    if kept.sum() < 2:
        return ()
    held = np.zeros((len(tried), len(kinds)), np.float32)
    for number in range(len(tried)):
        held[number, at[cells[number]]] = 1.0
    held = held[:, kept]
    dealt = np.repeat(green[first][kept][None], DEALS + 1, 0)
    dealt[1:] = np.random.default_rng(seed).permuted(dealt[1:], axis=1)
    lack = _lacks(held, dealt.T.astype(np.float32))
    most = np.sort(lack[:, 1:].max(0))
    p: Floats = (1.0 + DEALS - np.searchsorted(most, lack[:, 0], side="left")) / (DEALS + 1)
    return chosen(np.where(lack[:, 0] > 0, p, 1.0), lack[:, 0], tried, level)


def _lacks(held: npt.NDArray[np.float32], dealt: npt.NDArray[np.float32]) -> Floats:
    """How many green units windows [W, U] have too few under colours [U, K], in spreads of a hypergeometric number."""
    size, units = held.sum(1, dtype=np.float64), held.shape[1]
    share = float(dealt[:, 0].mean())
    spread = np.sqrt(size * share * (1 - share) * (units - size) / (units - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = ((size * share)[:, None] - held @ dealt) / spread[:, None]
    return np.where(spread[:, None] > 0, found, 0.0).astype(np.float64).round(3)
