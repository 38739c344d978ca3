"""Where a continuous function changes its sign."""

from __future__ import annotations

from collections.abc import Callable


def root(function: Callable[[float], float], low: float, high: float, *, close: float = 2e-12) -> float:
    """A zero of `function` between `low` and `high`, whose signs differ, to `close` (absolute) by Brent's method."""
    from scipy.optimize import brentq  # slow to import, and few intervals need it

    return float(brentq(function, low, high, xtol=close))
