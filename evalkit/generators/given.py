"""Which sampling settings reach a model: what a user gives is passed on or refused, and records hold what was passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator
from evalkit.generators.sampling import SETTINGS, Sampler


def with_given(model: Generator, base: Sampler, given: Mapping[str, float | int | None]) -> Sampler:
    """`base` with the values `given` in their places; None is not given. `guidance` is the scale in the model's numbers.

    Raises `EvalkitError` for a setting that the model does not take.
    """
    kept: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in kept:
        if name not in model.takes or (name == "guidance" and base.guidance.form == "none"):
            raise EvalkitError(f"{model.name} takes no {name.replace('_', '-')}. {model.else_give}")
    unset = base.unset.difference(kept)
    if (scale := kept.pop("guidance", None)) is not None:
        kept["guidance"] = replace(base.guidance, scale=scale)
    return replace(base, **kept, unset=unset)


def as_passed(model: Generator, sampler: Sampler) -> dict[str, Any]:
    """The sampler as plain data, with null for the settings that the model does not take."""
    return replace(sampler, unset=sampler.unset | (frozenset(SETTINGS) - model.takes)).as_dict()
