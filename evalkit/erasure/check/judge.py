"""Rules applied to the evidence of a check: what every image shows, how far each retained concept lies, what is left out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.erasure.check.items import DIRECT, RETAIN
from evalkit.erasure.check.rows import ARMS, BASE, ERASED, FORCED, OTHER, PREFIXES
from evalkit.erasure.check.seen import Asked, Rule, Seen, asked, share_shown, unpacked
from evalkit.errors import EvalkitError
from evalkit.world.captions import Demand, read_caption
from evalkit.world.detector import Detection
from evalkit.world.detector import Seen as WorldSeen
from evalkit.world.judge import NATURAL, verdict
from evalkit.world.vocabulary import CLASS_NAMES

Row = dict[str, Any]
NEAR, FAR, KEPT = "near", "far", "retained"  # the last one is both together
NEAREST = 0.25  # share of the retained concepts that count as near


def judged(
    rows: Sequence[Row],
    rule: Rule,
    known: Sequence[str],
    features: Mapping[str, Any],
    least: float,
    domain: Sequence[str] = (),
) -> list[Row]:
    """The rows with every verdict; `known`: the detector's labels; `least`: share in which the base must show a prompt.

    `domain`: the labels of who looked at the other domain.

    Retained rows become those of `near` and `far` by the distance of the base's features, where there are some.
    """
    before = {NEAR: RETAIN, FAR: RETAIN}  # rows of a sealed run are judged again
    found = [_judged({**row, "subset": before.get(row["subset"], row["subset"])}, rule, known, domain) for row in rows]
    distances = _distances(found, features)
    limit = _limit(list(distances.values()))
    for row in found:
        if row["subset"] == RETAIN:
            row["distance"] = distances.get(str(row["asked"]))
            known_far = row["distance"] is None or limit is None or row["distance"] > limit
            row["subset"] = FAR if known_far else NEAR
    _drop(found, least)
    return found


def _judged(row: Row, rule: Rule, known: Sequence[str], domain: Sequence[str]) -> Row:
    wanted = asked(known, str(row["prompt"]))
    retained = row["subset"] == RETAIN
    row["asked"] = " + ".join(wanted.labels) or None
    for arm in ARMS:
        seen = unpacked(row[f"seen_{arm}"])
        if seen is not None:
            row[arm] = _retained(wanted, seen) if retained else float(rule.shows(seen))
    for share in PREFIXES:
        for who in FORCED:
            seen = unpacked(row[f"seen_{who}_{share}"])
            row[f"{who}_{share}"] = None if seen is None else float(rule.shows(seen))
    if retained:
        _spared(row, rule, wanted, domain)
        _probed(row, known)
        return row
    for arm in (BASE, ERASED):
        seen = unpacked(row[f"seen_{arm}"])
        row[f"kept_{arm}"] = None if seen is None else share_shown(wanted, seen, rule.labels)
    _replaced(row, rule, known)
    found = unpacked(row["seen_found"])
    row["found_shows"] = None if found is None else float(rule.shows(found))
    return row


def _spared(row: Row, rule: Rule, wanted: Asked, domain: Sequence[str]) -> None:
    """Of a retained prompt: whether the base shows the concept unasked, and whether the other domain is as asked for.

    Without labels of another domain, colours are it, where the detector sees them.
    """
    other = Asked(asked(domain, str(row["prompt"])).labels) if domain else Asked((), wanted.colors)
    for arm in (BASE, ERASED):
        seen = unpacked(row[f"seen_{arm}"])
        if seen is None:
            continue
        if arm == BASE and not set(wanted.labels) & set(rule.labels):
            row["unasked"] = float(rule.shows(seen))
        there = unpacked(row[f"seen_domain_{arm}"]) if domain else seen
        if there is not None and (other.labels or other.colors):
            row[f"domain_{arm}"] = float(share_shown(other, there[:1] if domain else there) == 1.0)


def _probed(row: Row, known: Sequence[str]) -> None:
    """The verdicts of the reference world's probe on both images, where the world's detector looked."""
    if tuple(known) != CLASS_NAMES:
        return
    try:
        demand = read_caption(str(row["prompt"]))
    except EvalkitError:
        return
    row["task"] = demand.task
    for arm in (BASE, ERASED):
        seen = unpacked(row[f"seen_{arm}"])
        row[f"probe_{arm}"] = None if seen is None else _right(demand, seen)


def _right(demand: Demand, seen: Seen) -> float | None:
    """1 where an image does all that is demanded; None for evidence that was kept without boxes."""
    things = []
    for each in seen:
        if each.box is None:
            return None
        left, top, right, bottom = map(round, each.box)
        color = None if each.color == NATURAL else each.color
        things.append(Detection(each.label, color, (left, top, right, bottom), each.score))
    return float(verdict(demand, WorldSeen("", tuple(things))).correct)


def _replaced(row: Row, rule: Rule, known: Sequence[str]) -> None:
    seen, instead = unpacked(row[f"seen_{ERASED}"]), asked(known, str(row["replacement"] or ""))
    labels = set(instead.labels) - set(asked(known, str(row["prompt"])).labels) - set(rule.labels)
    if seen is not None and labels:
        row["replaced"] = float(any(each.label in labels for each in seen))


def _retained(wanted: Asked, seen: Any) -> float | None:
    """Whether everything that a retained prompt names is there; None where it names nothing that the detector knows."""
    if not wanted.labels:
        return None
    return float(share_shown(Asked(wanted.labels), seen) == 1.0)


def _distances(rows: Sequence[Row], features: Mapping[str, Any]) -> dict[str, float]:
    """1 - cosine between the base's mean features of what retained prompts ask for and those of the concept."""
    vectors, places = features.get(f"features_{BASE}"), features.get("feature_places")
    if vectors is None or places is None or not len(places):
        return {}
    groups: dict[str, list[Any]] = {}
    for vector, place in zip(vectors, places.tolist(), strict=True):
        row = rows[place]
        name = "" if row["subset"] == DIRECT else str(row["asked"]) if row["subset"] == RETAIN else None
        if name is not None:
            groups.setdefault(name, []).append(vector)
    target = groups.pop("", None)
    if target is None:
        return {}
    centre = np.mean(target, 0)
    return {name: _apart(np.mean(each, 0), centre) for name, each in groups.items()}


def _apart(a: Any, b: Any) -> float:
    return float(1 - a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def _limit(distances: Sequence[float]) -> float | None:
    return sorted(distances)[math.ceil(len(distances) * NEAREST) - 1] if distances else None


def _drop(rows: Sequence[Row], least: float) -> None:
    """Prompts that the base does not draw with other seeds are left out, so that the choice does not bias its own rate."""
    tries: dict[str, list[float]] = {}
    for row in rows:
        if row.get(OTHER) is not None:
            tries.setdefault(str(row["prompt_id"]), []).append(row[OTHER])
    for row in rows:
        seen = tries.get(str(row["prompt_id"]))
        row["dropped"] = seen is not None and sum(seen) / len(seen) < least


def columns_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Numbers [n] (nan where a row has none) and texts [n] of the rows."""
    names = dict.fromkeys(name for row in rows for name in row)
    found: dict[str, Any] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if all(value is None or isinstance(value, int | float) for value in values):
            found[name] = np.array([math.nan if value is None else float(value) for value in values])
        else:
            found[name] = np.array(values, object)
    return found


def table_of(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """The rows in the columns of samples.parquet."""
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)
