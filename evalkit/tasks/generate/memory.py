"""The most memory that a generation held: of the device where it tells, else of the process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from evalkit.metrics.generation import PEAK_MEMORY
from evalkit.peak import process_peak

OF = "peak_memory_of"


def peak_memory(device: torch.device | str) -> dict[str, Any]:
    """Peak bytes since the process began (or since the device's counter was set back), and whose they are.

    Nothing is told of programs outside, whose `device` is none of torch's.
    """
    kind = str(device).partition(":")[0]
    if kind == "cuda":
        return {PEAK_MEMORY.name: torch.cuda.max_memory_allocated(device), OF: "the device"}
    return process_memory() if kind in ("cpu", "mps") else {}


def process_memory(said: str = "the process") -> dict[str, Any]:
    """The most memory that this process ever held, where the system tells."""
    peak = process_peak()
    return {PEAK_MEMORY.name: peak, OF: "not told by this system" if peak is None else said}


def largest(told: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The largest of what workers told; empty where none told anything."""
    known = [each for each in told if each.get(PEAK_MEMORY.name)]
    return dict(max(known, key=lambda each: int(each[PEAK_MEMORY.name]), default={}))
