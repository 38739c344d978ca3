"""What the base model drew: kept by a caller who checks several erasers of it, so that it is drawn once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


class Memory:
    """Values by key; a key holds all that decides its value (weights, sampler, prompts, seeds)."""

    def __init__(self) -> None:
        self._held: dict[Hashable, object] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of `key`, made at its first use."""
        if key not in self._held:
            self._held[key] = make()
        return self._held[key]  # type: ignore[return-value]
