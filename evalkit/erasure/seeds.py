"""Seeds that follow from a seed, the name of a purpose, and a place."""

from __future__ import annotations

import hashlib


def stream_seed(seed: int, stream: str, place: int) -> int:
    """A seed in [0, 2**63) that depends on all three."""
    digest = hashlib.sha256(f"{seed}/{stream}/{place}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
