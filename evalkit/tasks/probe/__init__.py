"""Probes: does a generator do what it is told? Prompts, then evidence of images, then rules, then a summary."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"probe": "run"}  # every stage imports this package, few need the whole task
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
