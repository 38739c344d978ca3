"""Probes: does a generator do what it is told? Prompts, then evidence of images, then rules, then a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.tasks.probe.run import probe

__all__ = ["probe"]


def __getattr__(name: str) -> Any:
    if name != "probe":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from evalkit.tasks.probe.run import probe  # every stage imports this package, few need the whole task

    return probe
