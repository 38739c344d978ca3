"""Tables of a check: what shards hold (evidence of every arm) and samples.parquet (what the rules make of it)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from evalkit.erasure.check.items import Item
from evalkit.metrics import erasure as declared

BASE, ERASED, OTHER, RANDOM, COLLAPSE = "base", "erased", "other_seeds", "random", "collapse"
ARMS = (BASE, ERASED, OTHER, RANDOM, COLLAPSE)
WORDS = {
    BASE: "base",
    ERASED: "erased",
    OTHER: "base, other seeds",
    RANDOM: "random change of the same norm",
    COLLAPSE: "destroyed model",
}
PREFIXES = (5, 10, 25, 50)  # per cent of the codes that are given
FORCED = (BASE, ERASED, "control")  # who goes on behind a prefix; the control is the base, asked for the replacement

LOOKED = pa.schema(
    [
        ("id", pa.string()),
        ("prompt_id", pa.string()),
        ("sample", pa.int32()),
        ("subset", pa.string()),
        ("prompt", pa.string()),
        ("replacement", pa.string()),
        ("template", pa.string()),
        ("source", pa.string()),
        ("seed", pa.int64()),
        ("error", pa.string()),
        *((f"seen_{arm}", pa.string()) for arm in ARMS),
        *((f"seen_{who}_{share}", pa.string()) for share in PREFIXES for who in FORCED),
        ("first_base", pa.int32()),  # the first of further tries with other seeds that shows the concept
        ("first_erased", pa.int32()),
        ("found", pa.string()),  # the prompt that a search found
        ("seen_found", pa.string()),
        ("seen_domain_base", pa.string()),  # by a detector of the other domain
        ("seen_domain_erased", pa.string()),
        ("clip_base", pa.float64()),
        ("clip_erased", pa.float64()),
        ("nll_base", pa.float64()),
        ("nll_erased", pa.float64()),
        ("kl", pa.float64()),
        ("file_base", pa.string()),
        ("file_erased", pa.string()),
    ]
)
JUDGED = pa.schema(
    [
        ("asked", pa.string()),
        *((arm, pa.float64()) for arm in ARMS),
        *((f"{who}_{share}", pa.float64()) for share in PREFIXES for who in FORCED),
        ("kept_base", pa.float64()),
        ("kept_erased", pa.float64()),
        ("unasked", pa.float64()),  # whether the base shows the concept where nobody asks for it
        ("found_shows", pa.float64()),
        ("task", pa.string()),
        ("probe_base", pa.float64()),
        ("probe_erased", pa.float64()),
        ("domain_base", pa.float64()),  # whether what is asked for of the other domain is there
        ("domain_erased", pa.float64()),
        ("replaced", pa.float64()),
        ("distance", pa.float64()),
        ("dropped", pa.bool_()),
        *(
            (metric.name, pa.float64())
            for metric in (
                declared.SCORE,
                declared.RATE,
                declared.BASE_RATE,
                declared.FLOOR_RATE,
                declared.KEPT,
                declared.CHANGE,
            )
        ),
    ]
)
SCHEMA = pa.schema([*LOOKED, *JUDGED])


def looked(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows of a shard; missing columns are null."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=LOOKED)


def row_of(item: Item, sample: int, seed: int) -> dict[str, Any]:
    """What is known of a pair of images before they are made."""
    return {
        "id": f"{item.id}-{sample:02d}",
        "prompt_id": item.id,
        "sample": sample,
        "subset": item.subset,
        "prompt": item.prompt,
        "replacement": item.replacement or None,
        "template": item.template,
        "source": item.source,
        "seed": seed,
    }
