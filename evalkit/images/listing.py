"""What lies in a folder, a glob or an archive: images, texts, metadata, and the rest, counted by kind."""

from __future__ import annotations

import glob
import os
import posixpath
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.images.kinds import HEAD, SUFFIXES, kind_of_bytes, kind_of_name
from evalkit.images.metadata import is_metadata

HIDDEN = "hidden"
ODD = "not a regular file"
CLOSED = "folder that cannot be listed"
NO_SUFFIX = "without suffix"
GRID = "grid.png"  # GenEval's sheet of a prompt's images, beside their folder `samples`


@dataclass
class Listing:
    """Entries by use, in no order. `images` holds what is an image by suffix or by bytes, readable or not."""

    images: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, head: Callable[[], bytes]) -> None:
        """One file; `head` gives its first bytes, and is asked only where the suffix does not tell."""
        last = posixpath.basename(name)
        if last.startswith(".") or "__MACOSX" in name.split("/"):
            self.skipped[HIDDEN] += 1
        elif is_metadata(name):
            self.metadata.append(name)
        elif last[-4:].lower() == ".txt":
            self.texts.append(name)
        elif os.path.splitext(last)[1].lower() in SUFFIXES:
            self.images.append(name)
        else:
            kind = kind_of_bytes(head()) or kind_of_name(last)
            if kind is not None and kind.photo:
                self.images.append(name)
            else:
                self.skipped[kind.name if kind else os.path.splitext(last)[1].lower() or NO_SUFFIX] += 1

    def settle(self) -> None:
        """Count texts that lie beside no image, and GenEval's sheets of all images of a prompt."""
        prompts = {posixpath.dirname(each) for each in self.metadata}
        sampled = {posixpath.dirname(each) for each in self.images}
        sheets = [posixpath.join(each, GRID) for each in prompts if posixpath.join(each, "samples") in sampled]
        if left_out := set(sheets) & set(self.images):
            self.skipped[GRID] += len(left_out)
            self.images = [each for each in self.images if each not in left_out]
        stems = {posixpath.splitext(each)[0] for each in self.images}
        alone = [each for each in self.texts if each[:-4] not in stems]
        if alone:
            self.skipped[".txt"] += len(alone)
            self.texts = [each for each in self.texts if each[:-4] in stems]


def list_folder(root: str | Path) -> Listing:
    """Everything below `root`, by path relative to it; hidden folders are not entered, links are followed once."""
    found = Listing()
    base = os.fspath(root)
    for folder, files in _walk(base, found.skipped):
        for name in files:
            add_file(found, os.path.join(folder, name), base)
    found.settle()
    return found


def list_glob(pattern: str, root: str | Path) -> Listing:
    """The files that a shell pattern (with `**`) names, and the texts and metadata in their folders."""
    named = [each for each in glob.glob(pattern, recursive=True) if not os.path.isdir(each)]
    return list_files(named, root)


def list_files(files: Iterable[str], root: str | Path) -> Listing:
    """These files, and the texts and metadata in their folders, up to `root`."""
    found, base, named = Listing(), os.fspath(root), set(files)
    for file in sorted(named):
        add_file(found, file, base)
    images = list(found.images)
    folders = {base, *(os.path.dirname(os.path.join(base, each)) for each in images)}
    beside = Listing()
    for folder in folders:
        for name in _names(folder):
            path = os.path.join(folder, name)
            if path not in named and (name[-4:].lower() == ".txt" or is_metadata(name)) and os.path.isfile(path):
                beside.add(relative(path, base), bytes)
    beside.images = images
    beside.settle()
    found.settle()
    found.texts += beside.texts
    found.metadata += beside.metadata
    return found


def add_file(found: Listing, path: str, base: str) -> None:
    """One entry of a file system; what is neither file nor link is not opened."""
    name = relative(path, base)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        mode = 0
    by_suffix = os.path.splitext(name)[1].lower() in SUFFIXES and not posixpath.basename(name).startswith(".")
    if not stat.S_ISREG(mode) and not by_suffix:
        found.skipped[ODD] += 1
        return
    found.add(name, lambda: _head(path))


def relative(path: str, base: str) -> str:
    """The POSIX path below `base`."""
    inside = os.path.join(base, "")
    return (path[len(inside) :] if path.startswith(inside) else os.path.relpath(path, base)).replace(os.sep, "/")


def printable(name: str) -> str:
    r"""An id for a path: bytes that are not UTF-8 as \xNN, and a backslash doubled, so that names stay apart.

    >>> printable("a\udcff.png"), printable(r"a\xff.png")
    ('a\\xff.png', 'a\\\\xff.png')
    """
    return os.fsencode(name.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


def _walk(root: str, skipped: Counter[str]) -> Iterator[tuple[str, list[str]]]:
    seen: set[tuple[int, int]] = set()

    def closed(error: OSError) -> None:
        skipped[CLOSED] += 1

    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=closed):
        try:
            state = os.stat(folder)
        except OSError:
            skipped[CLOSED] += 1
            continue
        if (state.st_dev, state.st_ino) in seen:  # a link that leads back
            subfolders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        open_ones = sorted(each for each in subfolders if not each.startswith("."))
        skipped[HIDDEN] += len(subfolders) - len(open_ones)
        subfolders[:] = open_ones
        yield folder, files
    if not skipped[HIDDEN]:
        del skipped[HIDDEN]


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder or "."))
    except OSError:
        return []


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(HEAD)
    except OSError:
        return b""
