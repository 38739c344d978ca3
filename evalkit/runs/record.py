"""What a record says of where and when a run was made, and the digests of what it left."""

from __future__ import annotations

import datetime
import hashlib
import importlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evalkit.jsonio import canonical_json

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pillow", "opencv-python-headless", "onnxruntime", "rapidocr")


def now() -> str:
    """The time in UTC, to the second; SOURCE_DATE_EPOCH is honoured."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC) if epoch else datetime.datetime.now(datetime.UTC)
    return moment.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def environment(device: str = "cpu", *, elsewhere: bool = False) -> dict[str, Any]:
    """Python, platform, packages, device and git state; no user name, no path, no host name.

    `elsewhere`: other processes did the work, so that a GPU may have been used although this one never loaded torch.
    """
    torch: Any = sys.modules.get("torch")
    if elsewhere and device != "cpu":
        torch = importlib.import_module("torch")
    cuda = torch is not None and torch.cuda.is_available() and device != "cpu"
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "gpu": torch.cuda.get_device_name(0) if cuda else None,
        "cuda": torch.version.cuda if cuda else None,
        "tf32": bool(torch.backends.cuda.matmul.allow_tf32) if cuda else False,
        "git": git_state(Path(__file__).parent),
    }


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and cleanliness of the checkout evalkit runs from, None where it is installed from a wheel."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        dirty = bool(_git(folder, "status", "--porcelain", "--", "."))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": dirty}


def file_digests(folder: Path, names: Iterable[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """sha256 of the named files, and of all files below the named folders, by relative path; `known` are not read."""
    found: dict[str, str] = {}
    for name in names:
        path = folder / name
        for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if each.is_file():
                relative = each.relative_to(folder).as_posix()
                found[relative] = (known or {}).get(relative) or _sha256(each)
    return found


def with_digest(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with the sha256 of all the rest of it as `digest`, so that a changed byte shows without a signature.

    >>> with_digest({"task": "t"})["digest"][:12]
    '6e547b59fa71'
    """
    rest = {key: value for key, value in record.items() if key != "digest"}
    return {**rest, "digest": hashlib.sha256(canonical_json(rest)).hexdigest()}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
