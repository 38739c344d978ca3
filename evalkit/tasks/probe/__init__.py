"""Probes: does a generator do what it is told? Prompts, then evidence of images, then rules, then a summary."""

from __future__ import annotations

from evalkit.lazy import attach

# every stage imports this package, few need the whole task
__getattr__, __dir__, __all__ = attach(__name__, {"probe": "run"})
