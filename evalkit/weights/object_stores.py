"""Object stores by fsspec address (s3://, gs://, file://, memory://, …), and where a copy of what lies there is kept here.

Credentials come from the environment, as each store's own package reads them; an address never holds one.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evalkit.errors import EvalkitError
from evalkit.weights.download import cache_folder

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(?!$)")
_NO_STORE = frozenset({"http", "https", "ray"})
COPIES, STATES = "stores", "store-states"  # folders of the cache: copies, and which state of its object each one is


def is_url(text: object) -> bool:
    """Whether this is the address of an object or a folder of a store.

    >>> is_url("s3://bucket/run"), is_url("runs/a"), is_url("http:https://host/v1#model")
    (True, False, False)
    """
    found = _ADDRESS.match(text) if isinstance(text, str) else None
    return found is not None and found.group(1) not in _NO_STORE


@dataclass(frozen=True)
class Place:
    """A folder or an object of a store: the store's file system, and the path in it."""

    fs: Any
    root: str

    def path(self, name: str) -> str:
        """The path of what lies below."""
        return f"{self.root}/{name}" if name else self.root

    def read(self, name: str) -> bytes | None:
        """The bytes of an object, None where there is none."""
        try:
            data: bytes = self.fs.cat_file(self.path(name))
        except FileNotFoundError:
            return None
        return data

    def names(self, below: str = "") -> list[str]:
        """Every object below, by its name relative to this place, sorted."""
        self.fs.invalidate_cache()
        base = self.path(below).strip("/")
        found = self.fs.find(self.path(below))
        return sorted(posixpath.join(below, each.strip("/")[len(base) + 1 :]) for each in found)

    def put(self, folder: Path, names: list[str]) -> None:
        """Write files of `folder` under their names, in this order as far as the store keeps one."""
        for parent in sorted({posixpath.dirname(self.path(name)) for name in names}):
            self.fs.makedirs(parent, exist_ok=True)
        if names:
            self.fs.put([str(folder / name) for name in names], [self.path(name) for name in names])

    def get(self, names: list[str], folder: Path) -> None:
        """Copy objects into `folder` under their names; memory stays flat."""
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            self.fs.get_file(self.path(name), str(target))

    def remove(self, name: str = "") -> None:
        """Remove an object, or all below; nothing there is no error."""
        if self.fs.exists(self.path(name)):
            self.fs.rm(self.path(name), recursive=True)


def opened(url: str) -> Place:
    """The place behind an address; raises `EvalkitError` where it names none, holds a secret, or its package is missing."""
    import fsspec

    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment or ".." in parts.path.split("/"):
        raise EvalkitError(
            f"{parts.scheme}://… holds more than a place. Give credentials in the environment, never here"
        )
    try:
        fs, root = fsspec.url_to_fs(url)
    except ImportError as error:
        raise EvalkitError(f"{parts.scheme}:// needs a package that is not installed. {error}") from None
    except ValueError as error:
        raise EvalkitError(f"{url} is no address of a store ({error}). Give s3://BUCKET/PATH, or a folder") from None
    return Place(fs, root.rstrip("/"))


def here(url: str) -> Path:
    """The folder in which a copy of `url` is kept on this machine; other names beside it stand for objects beside it."""
    opened(url)
    parts = urlsplit(url)
    return _home() / parts.scheme / parts.netloc / parts.path.strip("/")


def url_of(path: Path) -> str | None:
    """The address whose copy `path` is; None for every other path.

    >>> url_of(here("memory://runs/a").with_name("b")), url_of(Path("runs/a"))
    ('memory://runs/b', None)
    """
    if not path.is_relative_to(_home()):
        return None
    scheme, *rest = path.relative_to(_home()).parts
    return f"{scheme}://{'/' if scheme in ('file', 'local') else ''}{'/'.join(rest)}"


def fetched(url: str) -> Path:
    """A copy of an object, or of all that lies in a folder, made now unless the one that is here has the same state.

    Raises `EvalkitError` where nothing is there.
    """
    place, target = opened(url), here(url)
    if place.fs.isfile(place.root):
        folder, name = posixpath.split(place.root)
        _copy(Place(place.fs, folder), name, target.parent)
        return target
    names = place.names()
    if not names:
        raise EvalkitError(f"{url} is not there. Give the address of an object, or of a folder that holds some")
    for left in [each for each in target.rglob("*") if each.is_file()]:
        if left.relative_to(target).as_posix() not in names:
            left.unlink()
    for name in names:
        _copy(place, name, target)
    return target


def local(given: str | Path) -> Path:
    """A path of this machine: of an address, its copy."""
    return fetched(given) if isinstance(given, str) and is_url(given) else Path(given).expanduser()


def _copy(place: Place, name: str, folder: Path) -> None:
    """One object, again only where its size or its state in the store is another, or the copy's size is."""
    target, path = folder / name, place.path(name)
    note = cache_folder() / STATES / target.relative_to(_home())
    size = place.fs.size(path)
    state = f"{size} {place.fs.ukey(path)}"
    if target.is_file() and target.stat().st_size == size and note.is_file() and note.read_text() == state:
        return
    place.get([name], folder)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(state)


def _home() -> Path:
    return cache_folder() / COPIES
