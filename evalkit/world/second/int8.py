"""Weights as whole numbers of one byte: each row of a matrix has a step of its own, all else is float16."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

STEP = ".step"  # ends the name of the steps of a matrix


def narrowed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices [rows, ...] of a state as int8 with float16 steps [rows] beside them; vectors as float16."""
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if value.ndim < 2 or not value.is_floating_point():
            found[name] = value.half() if value.is_floating_point() else value
            continue
        rows = value.float().flatten(1)
        step = (rows.abs().amax(1) / 127).clamp(min=1e-7).half()
        whole = (rows / step.float()[:, None]).round().clamp(-127, 127)
        found[name], found[name + STEP] = whole.to(torch.int8).view_as(value), step
    return {name: value.contiguous().cpu() for name, value in found.items()}


def widened(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The float32 state of what `narrowed` made; a state of floats comes back as it is."""
    found = {
        name: value.float() if value.is_floating_point() else value
        for name, value in state.items()
        if not name.endswith(STEP)
    }
    for name in found.keys() & {key.removesuffix(STEP) for key in state.keys() - found.keys()}:
        step = state[name + STEP].float()
        found[name] = state[name].float() * step.view(-1, *[1] * (state[name].ndim - 1))
    return found
