"""`run_campaign`: images once, a pilot of the judges and its estimate, every probe, one leaderboard; the same call resumes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalkit.campaigns.declaration import Campaign
from evalkit.campaigns.estimate import (
    Expected,
    Measured,
    check_budget,
    expected,
    keep_pilots,
    kept_pilots,
    measured,
)
from evalkit.campaigns.steps import Generation, OpenSuite, Probing, Steps, judge_options, open_suite, steps_of
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.jsonio import pretty_json
from evalkit.leaderboard.make import LeaderboardOptions, make_leaderboard
from evalkit.runs.durable import write_bytes
from evalkit.runs.store import Run
from evalkit.tasks.generate import generate_images
from evalkit.tasks.probe.run import probe

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Finished:
    """What came of a campaign. `failed`: (step, why) of those that gave no run. `board`: None where nothing ranks."""

    runs: tuple[Run, ...]
    failed: tuple[tuple[str, str], ...]
    expected: tuple[Expected, ...]
    spent: float
    board: Path | None
    why_no_board: str = ""


@dataclass
class _State:
    """What is known so far."""

    campaign: Campaign
    options: RunOptions
    tell: Tell
    broken: dict[Path, str] = field(default_factory=dict)  # folders of images that could not be made
    failed: list[tuple[str, str]] = field(default_factory=list)
    spent: float = 0.0

    @property
    def left(self) -> float | None:
        """What remains of the budget."""
        budget = self.campaign.budget
        return None if budget is None else max(budget - self.spent, 0.0)


def open_steps(campaign: Campaign) -> Steps:
    """The campaign's steps; raises `EvalkitError` that names every suite which cannot be asked, before any work."""
    opened: list[OpenSuite] = []
    wrong: list[str] = []
    for use in campaign.suites:
        try:
            opened.append(open_suite(use))
        except EvalkitError as error:
            wrong.append(str(error))
    if wrong:
        more = "".join(f"\n{each}" for each in wrong[1:])
        raise EvalkitError(f"{wrong[0]}{more}")
    return steps_of(campaign, opened)


def run_campaign(campaign: Campaign, options: RunOptions | None = None, tell: Tell = lambda said: None) -> Finished:
    """Make every image once, ask every question once, and rank the models; called again, it goes on.

    `options`: device, threads, batch size, progress and engine of every step; the folder and the seed are the campaign's.
    A step that fails is listed, and the others go on. Raises `EvalkitError` where a suite's files are missing and where
    the estimate after the pilot lies above the budget.
    """
    steps = open_steps(campaign)
    state = _State(campaign, options or RunOptions(), tell)
    for each in steps.generations:
        _generated(state, each)
    pilots = _pilots(state, steps)
    state.failed.clear()  # what a pilot lacks is said again by the probe itself
    estimates = expected(steps, pilots)
    if pilots:
        keep_pilots(campaign.out, pilots, estimates)
    check_budget(estimates, campaign.budget)
    made = [(each, run) for each in steps.probings if (run := _probed(state, each, each.folder, each.suite.use.limit))]
    runs = [run for _, run in made]
    board, why = _board(state, {run.path: each.system(several=len(campaign.seeds) > 1) for each, run in made})
    state.spent += sum(each.cost for each in pilots.values())
    done = Finished(tuple(runs), tuple(state.failed), estimates, state.spent, board, why)
    write_bytes(campaign.out / "campaign.json", pretty_json(_said(campaign, steps, done)))
    return done


def _generated(state: _State, step: Generation) -> None:
    model = step.model
    state.tell(f"images of {model.label}, seed {step.seed}: {step.images:,}")
    given: dict[str, Any] = dict(model.settings)
    mine = replace(state.options, out=step.folder, seed=step.seed, weights=model.weights, dtype=model.dtype, limit=None)
    try:
        generate_images(
            str(model.name), step.prompts, samples=step.samples, timeout=model.timeout, options=mine, **given
        )
    except EvalkitError as error:
        state.broken[step.folder] = str(error)


def _pilots(state: _State, steps: Steps) -> dict[str, Measured]:
    """What a few questions of each judged suite use; those of an earlier call are kept."""
    known = kept_pilots(state.campaign.out)
    for suite in steps.suites:
        if not suite.questions or suite.name in known:
            continue
        step = next((each for each in steps.probings if each.suite is suite and each.images not in state.broken), None)
        if step is None:
            continue
        limit = min(state.campaign.pilot, suite.use.limit or state.campaign.pilot)
        state.tell(f"pilot of {suite.name}: {limit} prompts")
        before = state.spent
        run = _probed(state, step, state.campaign.out / "pilots" / step.folder.name, limit)
        if run is not None:
            known[suite.name] = measured(run, suite, limit)
        state.spent = before
    return known


def _probed(state: _State, step: Probing, out: Path, limit: int | None) -> Run | None:
    if step.images in state.broken:
        state.failed.append((step.label, state.broken[step.images]))
        return None
    use = step.suite.use
    mine = replace(state.options, out=out, seed=step.seed, limit=limit, weights=use.weights)
    try:
        run = probe(
            use.name,
            step.images,
            detector=use.detector,
            judge=judge_options(use, state.left),
            rules={"policy": use.policy} if use.policy else None,
            samples=step.suite.samples,
            options=mine,
        )
    except EvalkitError as error:
        state.failed.append((step.label, str(error)))
        return None
    state.spent += float((run.record.get("usage") or {}).get("cost", 0.0))
    state.tell(step.label)
    return run


def _board(state: _State, runs: Mapping[Path, str]) -> tuple[Path | None, str]:
    """The leaderboard of all runs by the name of their system, or why there is none."""
    if not runs:
        return None, "no probe gave a run"
    try:
        options = LeaderboardOptions(command=state.options.command, names=runs)
        made = make_leaderboard(list(runs), state.campaign.out / "leaderboard", options)
    except EvalkitError as error:
        return None, str(error)
    return made.path, ""


def _said(campaign: Campaign, steps: Steps, done: Finished) -> dict[str, Any]:
    return {
        "name": campaign.name,
        "models": [each.label for each in campaign.models],
        "suites": [each.name for each in steps.suites],
        "seeds": list(campaign.seeds),
        "runs": [run.path.relative_to(campaign.out).as_posix() for run in done.runs],
        "failed": [{"step": step, "why": why} for step, why in done.failed],
        "expected": sum(each.cost or 0.0 for each in done.expected),
        "spent": done.spent,
    }
