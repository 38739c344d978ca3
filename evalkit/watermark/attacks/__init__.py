"""Attacks on watermarks: spelled `jpeg:75`, `crop:0.8+jpeg:75`, or by the name of a grid (docs/attacks.md)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Attack": "base",
    "attack_folder": "run",
    "contact_sheet": "sheet",
    "forgery": "swap",
    "list_auc": "theft",
    "lists_auc": "theft",
    "read_attack": "spelling",
    "read_attacks": "spelling",
    "removal": "swap",
    "theft_cooccurrence": "theft",
    "theft_histogram": "theft",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
