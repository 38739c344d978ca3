"""Asking anew what a sealed run of a judged suite lost, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.runs.store import Run, read_run
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.judged.suite import DECLARATION
from evalkit.tasks.probe.run import probe


def reask(
    run: str | Path,
    *,
    suite: str | None = None,
    judge: JudgeOptions | None = None,
    options: RunOptions | None = None,
) -> Run:
    """The probe of `run` again in a run beside it: refused and unreadable replies are asked anew, failed ones too.

    Answers come from the file of replies. `suite`: the name that the run must be of. `judge`: who judges (the same
    model), and where the suite's files lie. Raises `EvalkitError` where nothing was lost, or the run is of another kind.
    """
    path = Path(run).expanduser()
    found, judge, options = read_run(path), judge or JudgeOptions(), options or RunOptions()
    plan = found.record["plan"]
    if plan["task"] != "probe" or "judge" not in plan["models"]:
        raise EvalkitError(f"{path} is no run of a judged suite. Give one that evalkit probe made with --judge")
    if not found.record["probe"]["lost"] and not found.record["probe"].get("lost_answers"):
        raise EvalkitError(f"{path} lost no reply. There is nothing to ask again")
    said: dict[str, Any] = plan["parameters"]
    if suite not in (None, said["suite"]):
        raise EvalkitError(f"{path} is a run of {said['suite']}, not of {suite}. Type evalkit probe {said['suite']}")
    judge = replace(judge, tries=(judge.tries or 0) + int(said["tries"]) + 1, refused_too=True)
    out = options.out or path.with_name(f"{path.name}-again")
    return probe(
        str(path / DECLARATION) if (path / DECLARATION).is_file() else str(said["suite"]),
        found.record["data"]["spec"],
        judge=judge,
        rules=said["rules"] or None,
        samples=int(said["samples"]),
        allow_missing=bool(said["allow_missing"]),
        made=plan["protocols"][0]["settings"].get("made", ()),
        options=replace(options, out=out, limit=said["limit"]),
    )
