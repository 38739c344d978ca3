"""What judging will cost: questions are counted, tokens are measured on a few of them first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalkit.campaigns.steps import OpenSuite, Steps
from evalkit.errors import EvalkitError
from evalkit.jsonio import pretty_json, read_json
from evalkit.runs.durable import write_bytes
from evalkit.runs.store import Run

FILE = "estimate.json"


@dataclass(frozen=True)
class Measured:
    """What the pilot of one suite used: requests, their tokens, their cost in the currency of the prices."""

    questions: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: float


@dataclass(frozen=True)
class Expected:
    """What one suite will use over all models and seeds; cost None where no price was given."""

    suite: str
    questions: int
    requests: float
    tokens: float
    cost: float | None


def measured(run: Run, suite: OpenSuite, limit: int) -> Measured:
    """What a pilot over the first `limit` prompts used; requests that were answered before cost nothing now."""
    used: Mapping[str, Any] = run.record.get("usage") or {}
    prompts = len(suite.prompts.prompts)
    questions = round(suite.questions * min(limit, prompts) / prompts) if prompts else 0
    return Measured(
        questions,
        int(used.get("requests", 0)),
        int(used.get("prompt_tokens", 0)),
        int(used.get("completion_tokens", 0)),
        float(used.get("cost", 0.0)),
    )


def expected(steps: Steps, pilots: Mapping[str, Measured]) -> tuple[Expected, ...]:
    """Each judged suite's share: its questions about all images times what the pilot's took on average."""
    found = []
    for suite in steps.suites:
        count = sum(each.suite.name == suite.name for each in steps.probings)
        pilot = pilots.get(suite.name)
        if pilot is None or suite.use.judge is None:
            continue
        times = count * suite.questions / max(pilot.questions, 1)
        cost = pilot.cost * times if any(suite.use.judge.prices) else None
        tokens = (pilot.prompt_tokens + pilot.completion_tokens) * times
        found.append(Expected(suite.name, count * suite.questions, pilot.requests * times, tokens, cost))
    return tuple(found)


def total(estimates: Iterable[Expected]) -> float:
    """The cost of all; suites without prices count as nothing."""
    return sum(each.cost or 0.0 for each in estimates)


def check_budget(estimates: Iterable[Expected], budget: float | None) -> None:
    """Raise `EvalkitError` where the estimate lies above the budget."""
    if budget is not None and (cost := total(estimates)) > budget:
        raise EvalkitError(
            f"judging is expected to cost {cost:.4g}, above the budget of {budget:.4g}. "
            "Raise budget, or give suites a limit; images and replies so far are kept"
        )


def kept_pilots(folder: Path) -> dict[str, Measured]:
    """What earlier pilots of this campaign used, by suite; a file that cannot be read is as none."""
    if not (folder / FILE).is_file():
        return {}
    try:
        return {str(name): Measured(**row) for name, row in read_json(folder / FILE)["pilots"].items()}
    except (EvalkitError, TypeError, KeyError, AttributeError):
        return {}


def keep_pilots(folder: Path, pilots: Mapping[str, Measured], estimates: Iterable[Expected]) -> None:
    """Write what was measured and what follows."""
    said = {
        "pilots": {name: asdict(each) for name, each in pilots.items()},
        "expected": [asdict(each) for each in estimates],
    }
    write_bytes(folder / FILE, pretty_json(said))
