"""One registry for everything that has a name: did-you-mean, aliases, and entry points of other packages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from evalkit.errors import EvalkitError

T = TypeVar("T")
FEW = 20  # names that an error message lists


class Registry(Generic[T]):
    """Names to things, filled on first use by `fill` (imports of the package's own files) and by entry points."""

    def __init__(
        self, kind: str, fill: Callable[[], None], entry_point_group: str | None = None, listing: str | None = None
    ) -> None:
        self.kind = kind
        self._listing = listing or f"evalkit ls {kind}s"
        self._fill: Callable[[], None] | None = fill
        self._group = entry_point_group
        self._items: dict[str, T] = {}
        self._aliases: dict[str, str] = {}
        self._patterns: list[tuple[re.Pattern[str], Callable[..., T]]] = []

    def add(self, name: str, item: T, aliases: tuple[str, ...] = ()) -> None:
        """Register `item` under `name`; a name can be taken once."""
        for each in (name, *aliases):
            if each in self._items or each in self._aliases:
                raise ValueError(f"the {self.kind} name {each!r} is registered twice")
        self._items[name] = item
        self._aliases.update(dict.fromkeys(aliases, name))

    def add_pattern(self, pattern: str, make: Callable[..., T]) -> None:
        """Names that match the whole regular expression `pattern` give `make(name, *groups)`."""
        self._patterns.append((re.compile(pattern), make))

    def get(self, name: str) -> T:
        """The item called `name` (or its alias); an unknown name is an error that proposes the nearest ones."""
        self._load()
        found = self._items.get(self._aliases.get(name, name))
        if found is None:
            for pattern, make in self._patterns:
                if match := pattern.fullmatch(name):
                    return make(name, *match.groups())
            known = [*self._items, *self._aliases]
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            few = (
                f"known: {', '.join(sorted(self._items))}."
                if len(self._items) <= FEW
                else f"{len(self._items)} are known."
            )
            hint = f"did you mean {' or '.join(near)}?" if near else few
            raise EvalkitError(f"there is no {self.kind} called {name!r}; {hint} List them with: {self._listing}")
        return found

    def canonical(self, name: str) -> str:
        """The registered name behind an alias."""
        self.get(name)
        return self._aliases.get(name, name)

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._items))

    def _load(self) -> None:
        if self._fill is None:
            return
        fill, self._fill = self._fill, None
        fill()
        if self._group:
            for point in entry_points(group=self._group):
                point.load()
