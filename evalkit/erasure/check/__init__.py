"""Was a concept really erased? What is gone, where it leaks, what it cost, and a verdict that a broken model cannot pass."""

from __future__ import annotations

from evalkit.lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__, {"Look": "look", "Memory": "memory", "check_eraser": "run", "check_folders": "run"}
)
