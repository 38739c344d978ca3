"""What a check says: columns by which erasers are compared, and the facts of its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from evalkit.erasure.check.analysis import Analysis
from evalkit.erasure.check.judge import FAR, NEAR
from evalkit.erasure.check.look import DOMAIN
from evalkit.erasure.check.results import bounds_of
from evalkit.erasure.check.rows import BASE, ERASED, OTHER
from evalkit.erasure.check.spec import NAME
from evalkit.erasure.check.texts import ROLE
from evalkit.jobs.spec import Spec
from evalkit.metrics import erasure as declared


def with_columns(rows: Sequence[Mapping[str, Any]], done: Analysis) -> list[dict[str, Any]]:
    """The rows with a column for each metric that is a mean over them, so that erasers are compared by prompt."""
    found = []
    for row, share in zip(rows, done.scored.shares.tolist(), strict=True):
        more: dict[str, Any] = {declared.SCORE.name: share}
        if not row["dropped"] and row.get(BASE) is not None and row.get(ERASED) is not None:
            if row["subset"] in (NEAR, FAR):
                more |= {declared.KEPT.name: row[ERASED], declared.CHANGE.name: row[ERASED] - row[BASE]}
            else:
                more |= {declared.RATE.name: row[ERASED], declared.BASE_RATE.name: row[BASE]}
                more[declared.FLOOR_RATE.name] = row.get(OTHER)
        found.append({**row, **more})
    return found


def facts_of(
    spec: Spec, done: Analysis, labels: Sequence[str], why: Mapping[str, str], arrays: Mapping[str, Any]
) -> dict[str, Any]:
    """What the record says of a check; `erasure` holds the verdict, the vector and all that the page shows."""
    said, prompts = spec.parameters, spec.inputs["prompts"]
    model = spec.models.get(ERASED)
    vector = {m.name: _number(v) for m, v in zip(declared.VECTOR, done.scored.vector, strict=True)}
    return {
        "model": {
            "name": said["label"],
            "title": said["label"],
            "weights_sha256": None if model is None else model.sha256,
        },
        "data": {"name": said["concept"], "n": said["n"], "digest": prompts.digest},
        "prompts": {"name": said["concept"], "n": prompts.n, "digest": said["asked"]},
        "protocols": [{"id": each.id, "sha256": each.sha256} for each in spec.protocols],
        "encoders": {
            f"{NAME}:{ref.name}": ref.sha256
            for role, ref in spec.models.items()
            if role in ("detector", "features", ROLE, DOMAIN)
        },
        "erasure": {
            "concept": said["concept"],
            "verdict": asdict(done.verdict),
            "score": _number(done.scored.score),
            "vector": vector,
            "bounds": {m.name: list(bounds_of(done, i)) for i, m in enumerate(declared.VECTOR)},
            "sets": {name: each.as_dict() for name, each in done.sets.items()},
            "prefixes": [asdict(each) for each in done.prefixes],
            "attack": [asdict(each) for each in done.attack],
            "search": None if done.searched is None else asdict(done.searched),
            "probe": [asdict(each) for each in done.probe],
            "unasked": None if done.unasked is None else asdict(done.unasked),
            "operating": asdict(done.operating),
            "kl_by_position": (arrays["kl_sum"] / arrays["kl_count"]).tolist() if "kl_sum" in arrays else None,
            "relearning": {
                name.removeprefix("relearn_"): each.tolist()
                for name, each in arrays.items()
                if name.startswith("relearn_")
            },
            "concepts": [asdict(each) for each in done.concepts],
            "controls": {
                arm: {
                    "score": _number(s.score),
                    **{m.name: _number(v) for m, v in zip(declared.VECTOR, s.vector, strict=True)},
                }
                for arm, s in done.controls.items()
            },
            "went": dict(done.went),
            "savings": done.savings,
            "labels": list(labels),
            "why": dict(why),
        },
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
