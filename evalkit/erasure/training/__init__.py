"""Training of erasers: EAR as released and as described, and baselines under one contract."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Settings": "settings",
    "Trained": "spec",
    "Training": "spec",
    "read_trained": "result",
    "train": "run",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
