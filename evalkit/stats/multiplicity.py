"""Adjusted p-values for families of tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control

from evalkit.errors import EvalkitError

Array = npt.NDArray[np.float64]


def holm(p: npt.ArrayLike) -> Array:
    """Holm's step-down p-values [m]: the chance of any false claim stays below the level, whatever the dependence.

    Source: Holm 1979, Scandinavian Journal of Statistics 6.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = _checked(p)
    order = np.argsort(values, kind="stable")
    m = len(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate((m - np.arange(m)) * values[order]), 1.0)
    return adjusted


def benjamini_hochberg(p: npt.ArrayLike) -> Array:
    """Step-up p-values [m] that control the expected share of false claims under independence or positive dependence.

    Source: Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    return np.asarray(false_discovery_control(_checked(p), method="bh"), np.float64)


def benjamini_yekutieli(p: npt.ArrayLike) -> Array:
    """The same under any dependence. Source: Benjamini and Yekutieli 2001, doi:10.1214/aos/1013699998."""
    return np.asarray(false_discovery_control(_checked(p), method="by"), np.float64)


def _checked(p: npt.ArrayLike) -> Array:
    values = np.asarray(p, np.float64).ravel()
    if np.any(np.isnan(values)) or np.any((values < 0) | (values > 1)):
        raise EvalkitError("p-values lie between 0 and 1; leave tests without one out of the family")
    return values
