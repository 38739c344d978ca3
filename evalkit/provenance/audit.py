"""The samples that levels 4 and 5 draw: from fresh entropy, another set for each level, and what they can miss."""

from __future__ import annotations

import math

import numpy as np

SHARES = (0.1, 0.5)


def level_seed(seed: int, level: int) -> int:
    """The seed of a level's own draw, so that who prepares for one level is not prepared for the other."""
    return int(np.random.SeedSequence([seed & 0xFFFFFFFFFFFFFFFF, level]).generate_state(1, np.uint64)[0])


def missed(total: int, drawn: int, share: float) -> float:
    """The chance that `drawn` of `total` samples hold none of a share of fraudulent ones (hypergeometric).

    >>> missed(10, 5, 0.1)
    0.5
    """
    bad = min(total, math.ceil(share * total - 1e-9))
    return math.comb(total - bad, drawn) / math.comb(total, drawn) if drawn <= total else 0.0


def said(total: int, drawn: int, seed: int) -> str:
    """What a draw is worth, in words."""
    chances = ", ".join(f"in {share:.0%} with chance {missed(total, drawn, share):.2g}" for share in SHARES)
    return f"drawn from {total} by seed {seed}; fraud is missed {chances}"
