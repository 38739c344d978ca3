"""Verification of a leaderboard: every standing again from the runs that it was made of."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.jobs.checks import CHECKS, Checks, Failure, How, Outcome
from evalkit.jobs.recomputed import same_value
from evalkit.jsonio import parse_json
from evalkit.leaderboard.aggregate import TASK
from evalkit.leaderboard.make import MARK, LeaderboardOptions, make_leaderboard
from evalkit.provenance.kinds import board_runs
from evalkit.runs.store import Run

FIELDS = ("value", "low", "high", "ci_method", "rank")
RANKED = ("rank_interval", "tier")  # by the method that the document names
NEWEST = "part"  # of the terms of a board


Standings = dict[tuple[str, str], dict[str, Any]]


class LeaderboardChecks(Checks):
    """What leaderboard.json says of values, intervals, ranks and tiers."""

    scores = makes = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """The leaderboard made again from its runs, where they still lie as it says; not what papers state."""
        runs, lost = board_runs(run.path)
        if lost:
            return Outcome(0, open=f"{lost[0]} is not where {MARK} says, or has changed; put its runs there")
        said = parse_json((run.path / MARK).read_bytes(), MARK)
        means = tuple(dict.fromkeys(each["terms"]["metric"] for each in said["boards"] if each["mean_of"]))
        with tempfile.TemporaryDirectory() as folder:
            common = any(each.get("common") for each in said["boards"])
            options = LeaderboardOptions(aggregate=means, reported="none", parts=True, common=common)
            make_leaderboard(runs, Path(folder) / "again", options)
            made = parse_json((Path(folder) / "again" / MARK).read_bytes(), MARK)
        same = said.get("method", {}).get("ranks") == made["method"]["ranks"]
        old = any(NEWEST not in board["terms"] for board in said["boards"])
        again, mine = _standings(made, old=old), _standings(said, old=old)
        bad = [Failure(MARK, f"{_name(row)}: it follows from no run") for key, row in mine.items() if key not in again]
        bad += [
            Failure(MARK, f"{_name(row)}: {field} is {row[field]}, the runs give {again[key][field]}")
            for key, row in mine.items()
            for field in (*FIELDS, *(RANKED if same else ()))
            if key in again and not same_value(row[field], again[key][field])
        ]
        boards = {board for board, _ in mine}
        bad += [
            Failure(MARK, f"{_name(row)} is missing")
            for key, row in again.items()
            if key[0] in boards and key not in mine
        ]
        earlier = (
            None if same else "rank intervals and tiers are by the method of an earlier evalkit, and were not checked"
        )
        return Outcome(0 if bad else len(mine), tuple(bad), earlier)


def _standings(said: Mapping[str, Any], *, old: bool) -> Standings:
    """Standings by board and system. Boards of a leaderboard before `part` are told by the terms that it had."""
    return {
        (_told(board["terms"]) if old else str(board["id"]), str(each["system"])): {
            **each,
            "metric": board["terms"]["metric"],
        }
        for board in said["boards"]
        for each in board["standings"]
    }


def _told(terms: Mapping[str, Any]) -> str:
    names = ("task", "dataset", "metric", "protocol", "n", "samples", "data")
    return "\0".join(str(terms.get(name)) for name in (names[:-1] if terms.get("task") == TASK else names))


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['metric']} of {row['system']}"


CHECKS.add("leaderboard", LeaderboardChecks())
