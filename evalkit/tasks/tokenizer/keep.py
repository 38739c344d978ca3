"""Which image pairs stay with a run: none, the worst of each task, or all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.arrow import array, equal
from evalkit.images.encode import png_bytes
from evalkit.images.loader import shown
from evalkit.images.sample import Sample, Unreadable
from evalkit.jsonio import pretty_json
from evalkit.metrics.psnr import MSE
from evalkit.metrics.registry import METRICS
from evalkit.metrics.text_rates import CER_ORIGINAL, RECONSTRUCTION
from evalkit.tasks.tokenizer.output import Way, scored_output
from evalkit.tasks.tokenizer.pixels import Feed, model_input, scored_original

INDEX = "images/index.json"
WORST, TEXTS = 12, 8


def index_of_all(samples: pa.Table) -> dict[str, bytes]:
    """images/index.json of a run that keeps every pair, which its shards wrote."""
    protocols = len(set(samples["protocol"].to_pylist()))
    rows = samples.select(["id", "protocol", "error", *_scores()]).to_pylist()
    entries = [
        _entry(row, "kept", number // protocols, f"images/{number // protocols:08d}-{row['protocol']}")
        for number, row in enumerate(rows)
        if row["error"] is None
    ]
    return {INDEX: pretty_json(entries)}


def worst(samples: pa.Table, protocol: str) -> list[dict[str, Any]]:
    """Entries of the pairs that were hit hardest under a protocol, by error and by text, with their `position`."""
    mine = samples.filter(equal(samples["protocol"], protocol))
    mine = mine.append_column("position", array(range(mine.num_rows), pa.int64()))
    mine = mine.filter(pc.is_null(mine["error"]))
    by_error = mine.sort_by([(MSE.name, "descending"), ("id", "ascending")]).slice(0, WORST).to_pylist()
    texts = mine.filter(pc.is_valid(mine[RECONSTRUCTION]))
    by_text = texts.sort_by([(CER_ORIGINAL.name, "descending"), ("id", "ascending")]).slice(0, TEXTS).to_pylist()
    return [
        {**_entry(row, kind, rank, f"images/{kind}-{rank:02d}"), "position": row["position"]}
        for kind, rows in (("worst", by_error), ("text", by_text))
        for rank, row in enumerate(rows, 1)
    ]


def made_again(way: Way, feed: Feed, read: Sample | Unreadable) -> tuple[bytes, bytes] | None:
    """PNG files of the original and its reconstruction as they are scored; None where the source has changed."""
    sample = shown([read])
    if sample is None:
        return None
    fed = model_input(sample.image, feed)
    (output,) = way([fed], feed)
    reconstruction = scored_output(output, feed)
    if reconstruction is None:
        return None
    return png_bytes(scored_original(fed, feed)), png_bytes(reconstruction)


def files_of(entries: Sequence[Mapping[str, Any]], made: Mapping[int, tuple[bytes, bytes] | None]) -> dict[str, bytes]:
    """The files of `worst` entries by position, and images/index.json of those that could be made."""
    files: dict[str, bytes] = {}
    kept: list[dict[str, Any]] = []
    for entry in entries:
        pair = made[entry["position"]]
        if pair is not None:  # an image can be among both
            files |= {entry["original"]: pair[0], entry["reconstruction"]: pair[1]}
            kept.append({name: value for name, value in entry.items() if name != "position"})
    return {**files, INDEX: pretty_json(kept)}


def _scores() -> list[str]:
    """The columns that are shown beside a kept pair."""
    return [metric.name for metric in METRICS.all() if "kept" in metric.shown]


def _entry(row: dict[str, Any], kind: str, rank: int, stem: str) -> dict[str, Any]:
    return {
        "id": row["id"],
        "protocol": row["protocol"],
        "kind": kind,
        "rank": rank,
        "original": f"{stem}-original.png",
        "reconstruction": f"{stem}-reconstruction.png",
        "scores": {name: row[name] if row[name] is None or abs(row[name]) < 1e300 else None for name in _scores()},
    }
