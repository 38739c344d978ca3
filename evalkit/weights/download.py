"""Fetching a file from its address into the cache, whole or not at all, with its checksum."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import urllib.error
import urllib.parse
import urllib.request
from functools import cache
from pathlib import Path

from evalkit.errors import WeightsError

TIMEOUT = 20.0  # seconds without a byte
_PIECE = 2**20


def cache_folder() -> Path:
    """EVALKIT_CACHE, or ~/.cache/evalkit."""
    return Path(os.environ.get("EVALKIT_CACHE") or Path.home() / ".cache" / "evalkit").expanduser()


def kept_folder() -> Path:
    """Where is kept what was seen of images, so that it need not be seen again: EVALKIT_KEPT, or the cache's folder."""
    return Path(os.environ.get("EVALKIT_KEPT") or cache_folder()).expanduser()


def offline() -> bool:
    """Whether the environment says that nothing may be fetched."""
    return os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0") or "EVALKIT_OFFLINE" in os.environ


def answers(url: str) -> bool:
    """Whether the host of an address can be connected to, asked once in a process; a proxy is believed to know the way.

    Clients would retry for long, and read certificates first.
    """
    scheme, _, rest = url.partition("://")
    proxies = urllib.request.getproxies()
    return scheme in proxies or "all" in proxies or _connects(scheme, rest.partition("/")[0])


@cache
def _connects(scheme: str, place: str) -> bool:
    try:
        address = urllib.parse.urlsplit(f"//{place}")
        port = address.port or (80 if scheme == "http" else 443)
        socket.create_connection((address.hostname or "", port), timeout=5).close()
    except (OSError, ValueError, OverflowError):  # nobody is there, or it is no address
        return False
    return True


def from_url(url: str, sha256: str | None = None, *, download: bool = True) -> Path | None:
    """The cached file of `url`, fetched now if it is not there; None where it cannot be had.

    The sha256 is checked where it is known, or where the file name states its first digits (torchvision's
    `name-7be5be79.pth`). Raises `WeightsError` when the content is another.
    """
    name = url.rpartition("/")[2]
    target = cache_folder() / "weights" / name
    if target.is_file():
        return target
    if not download or offline() or not answers(url):
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".fetching-{name}-{os.getpid()}")
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as reply, temporary.open("wb") as out:
            while piece := reply.read(_PIECE):
                digest.update(piece)
                out.write(piece)
    except (urllib.error.URLError, OSError, TimeoutError):
        temporary.unlink(missing_ok=True)
        return None
    wanted = sha256 or _stated_prefix(name)
    if wanted and not digest.hexdigest().startswith(wanted):
        temporary.unlink(missing_ok=True)
        raise WeightsError(
            f"{url} gave another file than expected (sha256 {digest.hexdigest()[:16]}, {wanted} expected)"
        )
    temporary.replace(target)
    return target


def _stated_prefix(name: str) -> str | None:
    found = re.search(r"-([0-9a-f]{8})\.[a-z]+$", name)
    return found.group(1) if found else None
