"""Attacks on watermarks: spelled `jpeg:75`, `crop:0.8+jpeg:75`, or by the name of a grid (docs/attacks.md)."""

from __future__ import annotations

from evalkit.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
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
    },
)
