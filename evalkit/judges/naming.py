"""What a judged score is called: a benchmark's name belongs to the judge that the benchmark names, and to no other."""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.errors import EvalkitError
from evalkit.judges.reply import RawReply


def metric_name(benchmark: str, official: str, judge: str) -> str:
    """The name of a score: the benchmark's own with the `official` judge, else with the `judge` behind it.

    Names are compared as they are written: gpt-4o-2024-11-20 stands in for gpt-4o like any other model.

    >>> metric_name("wise", "gpt-4o-2024-05-13", "Qwen2.5-VL-7B-Instruct")
    'wise@Qwen2.5-VL-7B-Instruct'
    """
    return benchmark if judge == official else f"{benchmark}@{judge}"


def one_snapshot(replies: Iterable[RawReply]) -> str:
    """The model that the endpoint says has answered; empty where it says nothing.

    Raises `EvalkitError` where several did, as scores of several snapshots have no mean.
    """
    seen = sorted({raw.model for raw in replies if raw.kind == "answer" and raw.model})
    if len(seen) > 1:
        raise EvalkitError(f"the replies come from {len(seen)} judges: {', '.join(seen)}. Ask one dated snapshot again")
    return seen[0] if seen else ""


def same_judge(found: Iterable[str], wanted: str) -> None:
    """Raise `EvalkitError` where replies are of another judge than `wanted`."""
    other = sorted(set(found) - {wanted})
    if other:
        raise EvalkitError(f"the replies are of the judge {other[0]}, not of {wanted}. Give --judge {other[0]}")
