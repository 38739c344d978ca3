"""Adjusted p-values for families of tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError

Array = npt.NDArray[np.float64]


def holm(p: npt.ArrayLike) -> Array:
    """Holm's step-down p-values [m]: the chance of any false claim stays below the level, whatever the dependence.

    Source: Holm 1979, Scandinavian Journal of Statistics 6.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values, order = _ordered(p)
    m = len(values)
    stepped = np.maximum.accumulate((m - np.arange(m)) * values[order])
    return _restored(stepped, order)


def benjamini_hochberg(p: npt.ArrayLike) -> Array:
    """Step-up p-values [m] that control the expected share of false claims under independence or positive dependence.

    Source: Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    return _step_up(p, 1.0)


def benjamini_yekutieli(p: npt.ArrayLike) -> Array:
    """The same under any dependence. Source: Benjamini and Yekutieli 2001, doi:10.1214/aos/1013699998."""
    m = len(np.asarray(p, np.float64).ravel())
    return _step_up(p, float(np.sum(1 / np.arange(1, m + 1))))


def _step_up(p: npt.ArrayLike, factor: float) -> Array:
    values, order = _ordered(p)
    m = len(values)
    scaled = values[order] * m * factor / np.arange(1, m + 1)
    return _restored(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _ordered(p: npt.ArrayLike) -> tuple[Array, npt.NDArray[np.intp]]:
    values = np.asarray(p, np.float64).ravel()
    if np.any(np.isnan(values)) or np.any((values < 0) | (values > 1)):
        raise EvalkitError("p-values lie between 0 and 1; leave tests without one out of the family")
    return values, np.argsort(values, kind="stable")


def _restored(stepped: Array, order: npt.NDArray[np.intp]) -> Array:
    adjusted = np.empty_like(stepped)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
