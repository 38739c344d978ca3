"""One registry for everything that has a name: a table of modules, did-you-mean, aliases, entry points of other packages.

An entry is imported when it is first asked for, and nothing else with it. The table says which module registers which
name; an entry point of another package has the registered name as its own name.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from glob import has_magic
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Generic, TypeVar

from evalkit.errors import EvalkitError

T = TypeVar("T")
FEW = 20  # names that an error message lists


@dataclass(frozen=True)
class Table:
    """Where the package's own entries are, as text.

    `modules`: name to the module whose import registers it. `aliases`: alias to name. `patterns`: regular expression of
    whole names to `module:function`; the function makes the entry from the name and the groups of the expression.
    """

    modules: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    patterns: Mapping[str, str] = field(default_factory=dict)


def named_like(pattern: str, *names: str) -> bool:
    """Whether one of `names` is what `pattern` means: as of a shell, or a plain word that stands anywhere in a name.

    >>> named_like("jpeg-*", "jpeg-lm"), named_like("tok", "titok-l32"), named_like("tok?", "titok-l32")
    (True, True, False)
    """
    return any(fnmatch(name, pattern) or (not has_magic(pattern) and pattern in name) for name in names)


def foreign_code(thing: object) -> str | None:
    """sha256 of the file that defines the class or function `thing`; None for evalkit's own, and where there is no file.

    A run's plan holds it, so that a run of an edited class is not taken for the finished one.
    """
    if str(getattr(thing, "__module__", "")).partition(".")[0] == "evalkit":
        return None
    try:
        return hashlib.sha256(Path(inspect.getfile(thing)).read_bytes()).hexdigest()  # type: ignore[arg-type]
    except (OSError, TypeError):  # typed into a notebook or a console
        return _typed_code(thing)


def _typed_code(thing: object) -> str | None:
    parts = [thing, *getattr(thing, "__dict__", {}).values()]
    try:
        found = [inspect.getsource(part) for part in parts if inspect.isfunction(part)]
    except OSError:
        return None
    return hashlib.sha256("".join(found).encode()).hexdigest() if found else None


def foreign_points(group: str) -> dict[str, EntryPoint]:
    """Entry points of installed packages in `group`, by name."""
    return {point.name: point for point in entry_points(group=group)}


def package_of(point: EntryPoint) -> str:
    """The name of the package that has the entry point."""
    return point.dist.name if point.dist else point.value


class Registry(Generic[T]):
    """Names to things. Names are listed without an import; `get` imports the one module that registers the name."""

    def __init__(
        self,
        kind: str,
        fill: Callable[[], None] | None = None,
        entry_point_group: str | None = None,
        listing: str | None = None,
        *,
        table: Table | Callable[[], Table] | None = None,
    ) -> None:
        """`fill`: adds entries that are data, when the first name is asked for. `table`: itself, or how it is read."""
        self.kind = kind
        self._listing = listing or f"evalkit ls {kind}s"
        self._fill = fill
        self._group = entry_point_group
        self._read_table = table
        self._items: dict[str, T] = {}
        self._aliases: dict[str, str] = {}
        self._points: dict[str, EntryPoint] | None = None

    def add(self, name: str, item: T, aliases: tuple[str, ...] = ()) -> None:
        """Register `item` under `name`; a name can be taken once, and those of the table only by their modules."""
        for each in (name, *aliases):
            home = self._table.modules.get(self._table.aliases.get(each, each))
            if each in self._items or each in self._aliases or (home is not None and home not in sys.modules):
                raise ValueError(f"the {self.kind} name {each!r} is registered twice")
        self._items[name] = item
        self._aliases.update(dict.fromkeys(aliases, name))

    def get(self, name: str) -> T:
        """The item called `name` (or its alias); an unknown name is an error that proposes the nearest ones."""
        found = self._found(self._named(name))
        if found is None:
            found = self._by_pattern(name)
        if found is None:
            self._import_others()
            found = self._items.get(self._named(name))
        if found is None:
            raise EvalkitError(
                f"there is no {self.kind} called {name!r}; {self._hint(name)} List them with: {self._listing}"
            )
        return found

    def canonical(self, name: str) -> str:
        """The registered name behind an alias; a known name costs no import."""
        if self._named(name) not in self._names():
            self.get(name)
        return self._named(name)

    def __contains__(self, name: object) -> bool:
        """Whether `name` is registered; aliases and names by pattern do not count."""
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names()))

    @property
    def _table(self) -> Table:
        if callable(self._read_table):
            self._read_table = self._read_table()
        return self._read_table or Table()

    def _names(self) -> set[str]:
        if self._fill is not None:
            fill, self._fill = self._fill, None
            fill()
        return {*self._items, *self._table.modules, *self._foreign()}

    def _foreign(self) -> dict[str, EntryPoint]:
        """Entry points of other packages by name; a name of the package itself is not given away."""
        if self._points is None:
            found = foreign_points(self._group) if self._group else {}
            self._points = {name: point for name, point in found.items() if name not in self._table.modules}
        return self._points

    def _named(self, name: str) -> str:
        return self._aliases.get(name) or self._table.aliases.get(name, name)

    def _found(self, name: str) -> T | None:
        if name in self._names() and name not in self._items:
            self._import(name)
        return self._items.get(name)

    def _import(self, name: str) -> None:
        if name in self._table.modules:
            importlib.import_module(self._table.modules[name])
            return
        point = self._foreign()[name]
        package = package_of(point)
        try:
            point.load()
        except Exception as error:  # another package's code may raise anything
            raise EvalkitError(
                f"the {self.kind} {name} of the package {package} cannot be loaded ({type(error).__name__}: {error}); "
                "update or remove that package"
            ) from error
        if name not in self._items:
            raise EvalkitError(
                f"the package {package} offers the {self.kind} {name!r} but does not register it; let its entry point "
                "name the module that does"
            )

    def _import_others(self) -> None:
        """Entry points that were not asked for by name may know the name as an alias; broken ones are passed over."""
        for name in [each for each in self._foreign() if each not in self._items]:
            try:
                self._import(name)
            except EvalkitError:
                continue

    def _by_pattern(self, name: str) -> T | None:
        for pattern, maker in self._table.patterns.items():
            if match := re.fullmatch(pattern, name):
                module, _, function = maker.partition(":")
                made: T = getattr(importlib.import_module(module), function)(name, *match.groups())
                return made
        return None

    def _hint(self, name: str) -> str:
        names = self._names()
        near = difflib.get_close_matches(name, [*names, *self._aliases, *self._table.aliases], n=3, cutoff=0.5)
        if near:
            return f"did you mean {' or '.join(dict.fromkeys(near))}?"
        return f"known: {', '.join(sorted(names))}." if len(names) <= FEW else f"{len(names)} are known."
