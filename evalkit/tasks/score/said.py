"""Which sets a scoring has, and what the record says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.images import content_digest
from evalkit.jobs.spec import Spec
from evalkit.tasks.score.rows import IMAGES, REFERENCE

RECALLED = "recalled"  # fact of a shard, and part of the record
ROLES = {IMAGES: "data", REFERENCE: "reference"}  # inputs of a spec by side


def counts(spec: Spec) -> dict[str, int]:
    """Images of each side."""
    return {side: spec.inputs[role].n for side, role in ROLES.items() if role in spec.inputs}


def is_file(spec: Spec) -> bool:
    """Whether the reference came as a file of statistics."""
    reference = spec.inputs.get("reference")
    return reference is not None and reference.settings.get("kind") == "statistics"


def sets_said(spec: Spec, rows: pa.Table) -> dict[str, Any]:
    """What the record says of the images, the reference and the prompts; digests are of what was really read."""
    said: dict[str, Any] = {}
    for side, role in ROLES.items():
        if role not in spec.inputs:
            continue
        ref, mine = spec.inputs[role], rows.filter(pc.equal(rows["side"], side))
        file = role == "reference" and is_file(spec)
        pairs = zip(mine["id"].to_pylist(), mine["sha256"].to_pylist(), strict=True)
        said[role] = {
            "name": ref.name,
            "n": ref.settings.get("of") or ref.n if file else ref.n,
            "digest": ref.digest if file else content_digest(pairs),
            "unreadable": mine.num_rows - mine["error"].null_count,
            **spec.here.get(role, {}),
        }
    prompts = spec.inputs.get("prompts")
    if prompts is not None:
        said["prompts"] = {"name": prompts.name, "n": prompts.n, "digest": prompts.digest}
    return said


def recalled(facts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Images of each side whose features an earlier run had kept, over all shards."""
    found: Counter[str] = Counter()
    for each in facts:
        found.update(each.get(RECALLED, {}))
    return {side: n for side, n in found.items() if n}
