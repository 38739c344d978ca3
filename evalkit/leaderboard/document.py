"""leaderboard.json: everything that the page shows, and what it was made from, for machines and for `evalkit verify`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.leaderboard.boards import Board, Boards
from evalkit.leaderboard.entrants import Collected, Entrant, whole
from evalkit.leaderboard.rank import LEVEL, Gap, Standing
from evalkit.leaderboard.reported import Reported
from evalkit.leaderboard.words import verdict
from evalkit.pages.view.images import address
from evalkit.stats.ranks import DRAWS, METHOD
from evalkit.version import __version__

VERSION = 1


def document(
    boards: Sequence[Board],
    collected: Collected,
    reported: Sequence[Sequence[Reported]],
    found: Boards,
    folder: Path,
    command: Sequence[str],
    created: str,
) -> dict[str, Any]:
    """The leaderboard as plain data; `parents` are the runs with the sha256 of every file that was read."""
    entrants = collected.entrants
    return {
        "leaderboard": VERSION,
        "evalkit": __version__,
        "created": created,
        "command": whole(list(command)),
        "method": {
            "level": LEVEL,
            "ranks": METHOD,
            "draws": DRAWS,
        },
        "parents": [
            {
                "name": each.folder,
                "task": each.task,
                "record": each.digests["record.json"],
                "files": each.digests,
                "path": address(each.path, folder),
                "system": each.name,
                "model": each.model,
                "signed": each.signed,
                "verified": each.verified,
            }
            for each in entrants
        ],
        "boards": [_board(board, entrants, stated) for board, stated in zip(boards, reported, strict=True)],
        "apart": [
            {
                "a": [entrants[i].name for i in each.a],
                "b": [entrants[i].name for i in each.b],
                "metrics": list(each.metrics),
                "differs": [{"what": what, "a": a, "b": b} for what, a, b in each.differs],
                "shared": each.shared,
            }
            for each in found.apart
        ],
        "never_ranked": list(found.counts),
        "imported": [
            {
                "system": each.model,
                "metric": each.metric,
                "value": each.value,
                "setting": each.setting,
                "source": each.source,
                "record": each.record,
                "path": address(each.run, folder),
            }
            for each in collected.imported
        ],
    }


def _board(board: Board, entrants: Sequence[Entrant], stated: Sequence[Reported]) -> dict[str, Any]:
    return {
        "id": board.terms.digest,
        "terms": vars(board.terms),
        "unit": board.unit,
        "better": board.better,
        "pairing": board.order.pairing,
        "critical": number(board.order.critical),
        "verdict": verdict(board, entrants),
        "standings": [_standing(each, entrants) for each in board.order.standings],
        "missing": [{"system": entrants[m.entrant].name, "reason": m.reason} for m in board.missing],
        "common": list(board.common),
        "mean_of": [terms.digest for terms in board.parts],
        "left_out": [{"system": entrants[m.entrant].name, "reason": m.reason} for m in board.left_out],
        "reported": [
            {
                "system": each.name,
                "value": each.value,
                "setting": each.setting,
                "source": each.source,
                "verified": each.verified,
                "apart": each.apart,
                "beside": None if each.entrant is None else entrants[each.entrant].name,
            }
            for each in stated
        ],
    }


def _standing(each: Standing, entrants: Sequence[Entrant]) -> dict[str, Any]:
    figure, flip = each.figure, each.flip
    return {
        "system": entrants[figure.entrant].name,
        "value": number(figure.value),
        "low": figure.low,
        "high": figure.high,
        "ci_method": figure.method,
        "rank": each.rank,
        "rank_interval": [each.best, each.worst],
        "tier": each.tier,
        "chance_first": number(each.first),
        "behind_first": _gap(each.gap),
        "flip": None if flip is None else {"count": flip.count, "units": flip.units, "blur": flip.blur},
    }


def _gap(gap: Gap | None) -> dict[str, Any] | None:
    if gap is None:
        return None
    return {"value": number(gap.value), "low": gap.low, "high": gap.high, "method": gap.method}


def number(value: float | None) -> float | str | None:
    """As results.json has it: infinities in words, nan as nothing."""
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else "inf" if value > 0 else "-inf"
