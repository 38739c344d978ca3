"""A sample on its way through the worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalkit.images.sample import Pixels, Sample


@dataclass
class Pair:
    """One sample under one protocol on its way through the worker."""

    sample: Sample
    original: Pixels
    reconstruction: Pixels
    row: dict[str, Any]
