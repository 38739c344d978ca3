"""Which images the page of a probe shows, right and wrong ones of every task in turn, and their small copies."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import chain, zip_longest

import pyarrow as pa
from PIL import Image

from evalkit.images.decode import decode_image
from evalkit.images.sample import Pixels

MOST = 96
SIDE, QUALITY = 320, 84


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


def small_copy(image: Pixels | bytes) -> bytes:
    """An image, decoded or as its file's bytes, as WebP of at most 320 px a side."""
    made = Image.fromarray(decode_image(image) if isinstance(image, bytes) else image)
    made.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    made.save(buffer, format="WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()
