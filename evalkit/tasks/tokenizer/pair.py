"""A sample on its way through the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.images.sample import Pixels


@dataclass
class Pair:
    """One sample under one protocol on its way through the worker; `files`: both images as PNG where they are kept."""

    meta: Mapping[str, Any]
    original: Pixels
    reconstruction: Pixels
    row: dict[str, Any]
    files: tuple[bytes, bytes] | None = None
