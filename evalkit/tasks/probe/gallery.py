"""Which images the page of a probe shows: right and wrong ones of every task in turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest

import pyarrow as pa

MOST = 96


def gallery_file(position: int) -> str:
    """Where the small copy of the image of a row lies in the run."""
    return f"gallery/{position:06d}.webp"


def gallery_positions(samples: pa.Table, most: int = MOST) -> list[int]:
    """Rows that the page shows, in order; tasks and verdicts share the places as evenly as they can."""
    groups: dict[tuple[str, bool], list[int]] = {}
    rows = zip(*(samples[name].to_pylist() for name in ("task", "score", "error")), strict=True)
    for position, (task, score, error) in enumerate(rows):
        if error is None:
            groups.setdefault((str(task), score is not None and score >= 1), []).append(position)
    spread = [_spread(group, most) for group in groups.values()]
    turns = [each for each in chain.from_iterable(zip_longest(*spread)) if each is not None]
    return sorted(turns[:most])


def _spread(group: Sequence[int], most: int) -> list[int]:
    """At most `most` of a group, evenly spaced."""
    step = max(1, len(group) // most)
    return list(group[::step][:most])
