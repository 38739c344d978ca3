"""Names of a package that import their module when they are first used, so that importing the package costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

Attached = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]


def attach(package: str, homes: Mapping[str, str]) -> Attached:
    """(`__getattr__`, `__dir__`, `__all__`) of `package`, whose names lie in the modules `homes[name]` below it."""
    names = sorted(homes)

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has: {', '.join(names)}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return get, names.copy, names
