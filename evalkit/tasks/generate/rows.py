"""The columns of a generation's samples.parquet: one row for each image that was asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.arrow import table_of_rows
from evalkit.generators.base import Image, Request
from evalkit.jsonio import finite, loose_json
from evalkit.prompts.load import Prompt

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt_id", pa.string()),
        ("sample", pa.int32()),
        ("prompt", pa.string()),
        ("class_id", pa.int32()),
        ("seed", pa.int64()),
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("evaluations", pa.int32()),
        ("notes", pa.string()),
        ("meta", pa.string()),
        ("error", pa.string()),
    ]
)


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the fixed schema."""
    return table_of_rows(rows, SCHEMA)


def seed_of(base: int, prompt: Prompt, sample: int) -> int:
    """The seed of one image, in [0, 2^31): the line's own seed (plus the sample's number) where it has one, else 31
    bits of a hash of the run's seed, the prompt's id and the sample's number. A line's seed outside this range is
    hashed too, so that seeds that differ stay different.

    >>> seed_of(0, Prompt("a", seed=42), 1)
    43
    """
    own = None if prompt.seed is None else prompt.seed + sample
    if own is not None and 0 <= own < 2**31:
        return own
    said = f"{base}\0{prompt.id}\0{sample}" if own is None else f"seed\0{own}"
    return _hashed(said)


def _hashed(said: str) -> int:
    digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def sampler_told(samples: pa.Table) -> dict[str, Any]:
    """The sampler that a program outside says it used (`sampler` in its replies), where all of its images agree."""
    told = {json.dumps((loose_json(notes) if notes else {}).get("sampler")) for notes in _notes_of_made(samples)}
    found = loose_json(told.pop()) if len(told) == 1 else None
    return found if isinstance(found, dict) else {}


def _notes_of_made(samples: pa.Table) -> list[str | None]:
    return samples.filter(pc.is_null(samples["error"]))["notes"].to_pylist()  # type: ignore[no-any-return]


def row_of(prompt: Prompt, sample: int, request: Request) -> dict[str, Any]:
    """What is known of an image before it is made."""
    return {
        "id": request.id,
        "prompt_id": prompt.id,
        "sample": sample,
        "prompt": request.prompt,
        "class_id": request.class_id,
        "seed": request.seed,
        "meta": json.dumps(dict(prompt.meta), ensure_ascii=False, sort_keys=True) if prompt.meta else None,
    }


def made(image: Image, file: str, data: bytes) -> dict[str, Any]:
    """What a finished image adds to its row; `file` is where its bytes `data` will lie in the run."""
    return {
        "file": file,
        "sha256": hashlib.sha256(data).hexdigest(),
        "height": int(image.pixels.shape[0]),
        "width": int(image.pixels.shape[1]),
        "evaluations": image.evaluations,
        "notes": json.dumps(finite(image.notes), ensure_ascii=False, sort_keys=True) if image.notes else None,
    }
