"""The numbers that verdicts are given by; another number is another protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gates:
    """All are shares of what the base model does, but `margin` and `prefix`, which are differences of shares.

    `erased`, `near`, `far`, `utility`: least values of the vector's parts. `sure`: what the lower bound of the first must
    reach for a verdict. `broken`: a model that keeps less than this far from the concept, or of its utility, is broken.
    `leak`: what a set of other words may show. `prefix`: what a prefix of true codes may bring back beyond what it shows
    itself. `savings`: what relearning may save. `margin`: a loss of retained images beyond it is a loss. `drawn`: least
    share of images in which the base must show the concept. `everywhere`: a detector that sees the concept in more of the
    base's retained images is of no use.
    """

    erased: float = 0.9
    sure: float = 0.75
    near: float = 0.9
    far: float = 0.9
    utility: float = 0.95
    broken: float = 0.5
    leak: float = 0.1
    prefix: float = 0.1
    savings: float = 0.5
    margin: float = 0.05
    drawn: float = 0.5
    everywhere: float = 0.5
