"""Images of a check on its page: before and after, leaks, and what was lost or kept."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from evalkit.erasure.check.items import DIRECT, LEAKS
from evalkit.erasure.check.judge import FAR, NEAR
from evalkit.erasure.check.rows import BASE, ERASED
from evalkit.runs.store import Run

SHOWN = 12  # pairs of images in a gallery


def galleries(run: Run, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """(title, what it shows, pairs of images) of every gallery that has some."""

    def pick(names: Sequence[str], *, hit: bool | None = None, kept: bool = False) -> list[dict[str, Any]]:
        chosen = [row for row in rows if row["subset"] in names and row[f"file_{BASE}"] and row[ERASED] is not None]
        chosen = [row for row in chosen if hit is None or bool(row[ERASED]) == hit]
        chosen = [row for row in chosen if not kept or row[BASE]]
        return [_pair(run, row) for row in chosen[:SHOWN]]

    told = [
        ("Asked directly", "Before and after at equal seeds.", pick((DIRECT,))),
        ("Leaks", "Other words that still bring the concept.", pick(LEAKS, hit=True)),
        ("Lost", "Prompts that must stay, and no longer do.", pick((NEAR, FAR), hit=False, kept=True)),
        ("Kept", "Prompts that must stay.", pick((NEAR, FAR), hit=True)),
    ]  # fmt: skip
    return [each for each in told if each[2]]


def _pair(run: Run, row: Mapping[str, Any]) -> dict[str, Any]:
    found = {arm: _address(run, str(row[f"file_{arm}"])) for arm in (BASE, ERASED)}
    return {"prompt": row["prompt"], "subset": row["subset"], **found}


def _address(run: Run, name: str) -> Markup | None:
    file = run.path / name
    if not file.is_file():
        return None
    return Markup("data:image/webp;base64," + base64.b64encode(file.read_bytes()).decode())
