"""Attacks of one kind at several strengths, as their spellings say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def family(attack: str) -> tuple[str, float] | None:
    """(name, strength) of an attack with one number first, such as jpeg:75; None for chains and others.

    >>> family("jpeg:75"), family("flip"), family("crop:0.8+jpeg:75")
    (('jpeg', 75.0), None, None)
    """
    if "+" in attack:
        return None
    name, _, rest = attack.partition(":")
    first, _, after = rest.partition(":")
    try:
        return (f"{name}:…:{after}" if after else name), float(first)
    except ValueError:
        return None


def families(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Attacks of one kind at two strengths or more, by kind, in the order of strength."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        parts = family(row["attack"])
        if parts is not None:
            found.setdefault(parts[0], {})[row["attack"]] = parts[1]
    return {name: sorted(each, key=each.__getitem__) for name, each in found.items() if len(each) > 1}
