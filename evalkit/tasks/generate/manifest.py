"""manifest.jsonl: one line per image with all that made it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from evalkit.jobs.spec import Spec
from evalkit.jsonio import parse_json


def manifest(spec: Spec, samples: pa.Table, seconds: Sequence[float | None]) -> bytes:
    """Lines in row order; `seconds` of each image are None where it failed."""
    shared = shared_by_all(spec)
    lines = []
    for row, spent in zip(samples.to_pylist(), seconds, strict=True):
        row["meta"] = parse_json(row["meta"], "the meta of a row", surrogates=True) if row["meta"] else {}
        row["notes"] = parse_json(row["notes"], "the notes of a row", surrogates=True) if row["notes"] else {}
        timed = {"seconds": None if spent is None else round(spent, 4)}
        lines.append(json.dumps({**row, **timed, **shared}, ensure_ascii=False, sort_keys=True, allow_nan=False))
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def shared_by_all(spec: Spec) -> dict[str, Any]:
    """What every line says of the model and its sampling."""
    model = spec.models["model"]
    more = {name: spec.parameters[name] for name in ("processors", "accelerate") if name in spec.parameters}
    return {
        "model": model.name,
        "weights_sha256": model.sha256,
        "tokenizer": model.settings.get("tokenizer"),
        "sampler": spec.parameters["sampler"],
        **more,
    }
