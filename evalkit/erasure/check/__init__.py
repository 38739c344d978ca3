"""Was a concept really erased? What is gone, where it leaks, what it cost, and a verdict that a broken model cannot pass."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"Look": "look", "Memory": "memory", "check_eraser": "run", "check_folders": "run"}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
