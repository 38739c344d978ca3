"""What a campaign does: which images are made once for which suites, and which probes look at them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.campaigns.declaration import PLACES, Campaign, Contestant, SuiteUse
from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json
from evalkit.prompts.load import PromptSet
from evalkit.tasks.probe.judged.calls import asked_of
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.judged.suite import JudgedSuite
from evalkit.tasks.probe.suite import SUITES, Suite, prompt_set


@dataclass(frozen=True)
class OpenSuite:
    """A suite with its files read. `samples`: images of each prompt; `questions`: about all images of one model."""

    use: SuiteUse
    suite: Suite
    prompts: PromptSet
    samples: int
    questions: int

    @property
    def name(self) -> str:
        """What it is called."""
        return self.use.name

    @property
    def images(self) -> int:
        """Images of one model and seed."""
        return len(self.prompts.prompts) * self.samples


@dataclass(frozen=True)
class Generation:
    """Images that one model makes for one seed, for every suite that asks the same prompts."""

    model: Contestant
    prompts: PromptSet
    samples: int
    seed: int
    folder: Path

    @property
    def images(self) -> int:
        """How many."""
        return len(self.prompts.prompts) * self.samples


@dataclass(frozen=True)
class Probing:
    """One suite on the images of one model for one seed; `source` makes them, None where they are there."""

    model: Contestant
    suite: OpenSuite
    seed: int
    folder: Path
    source: Generation | None

    @property
    def images(self) -> Path:
        """Where the images lie."""
        if self.source is not None:
            return self.source.folder
        path = str(self.model.images)
        for place, filled in zip(PLACES, (self.suite.name, str(self.seed)), strict=True):
            path = path.replace(place, filled)
        return Path(path)

    def system(self, *, several: bool) -> str:
        """What the leaderboard calls the model; with its seed where there are `several`."""
        return f"{self.model.label}, seed {self.seed}" if several else self.model.label

    @property
    def label(self) -> str:
        """What the screen calls it."""
        return f"{self.suite.name} of {self.model.label}, seed {self.seed}"


@dataclass(frozen=True)
class Steps:
    """All of it, in order."""

    suites: tuple[OpenSuite, ...]
    generations: tuple[Generation, ...]
    probings: tuple[Probing, ...]


def judge_options(use: SuiteUse, budget: float | None = None) -> JudgeOptions:
    """How `evalkit probe` asks for this suite."""
    judge = use.judge
    if judge is None:
        return JudgeOptions(data=use.data, sources=use.sources)
    priced = judge.prices if any(judge.prices) else (0.0, 0.0)
    return JudgeOptions(
        judge.name, use.data, use.sources, judge.replies, judge.tries, prices=priced,
        budget=budget if any(priced) else None,
    )  # fmt: skip


def open_suite(use: SuiteUse) -> OpenSuite:
    """The suite, ready to be asked. Raises `EvalkitError` where its files or its judge are missing."""
    suite = SUITES.get(use.name)()
    judged = isinstance(suite, JudgedSuite)
    if isinstance(suite, JudgedSuite):
        suite = judge_options(use).opened(suite)
        if use.judge is None and not all(call.optional for call in suite.said.calls):
            raise EvalkitError(f'{use.name} needs a judge. Give judge = "http:URL#MODEL" in its [[suites]] or for all')
    prompts = prompt_set(suite)
    prompts = replace(prompts, prompts=prompts.prompts[: use.limit])
    samples = use.samples or suite.samples
    questions = 0
    if judged and isinstance(suite, JudgedSuite) and use.judge is not None:
        questions = samples * sum(len([*asked_of(suite.said.calls, item)]) for item in suite.items[: use.limit])
    return OpenSuite(use, suite, prompts, samples, questions)


def steps_of(campaign: Campaign, suites: Sequence[OpenSuite]) -> Steps:
    """Every probe, and each set of images once: suites that ask the same prompts share them."""
    generations: dict[tuple[str, str, int], Generation] = {}
    probings = []
    most: dict[str, int] = {}
    for suite in suites:
        digest = _digest(suite.prompts)
        most[digest] = max(most.get(digest, 0), suite.samples)
    for model in campaign.models:
        for seed in campaign.seeds:
            for suite in suites:
                key = (model.label, digest := _digest(suite.prompts), seed)
                if model.images is None and key not in generations:
                    folder = campaign.out / "images" / f"{slug(model.label)}-{slug(suite.name)}-{digest[:8]}-s{seed}"
                    generations[key] = Generation(model, suite.prompts, most[digest], seed, folder)
                folder = campaign.out / "probes" / f"{slug(suite.name)}-{slug(model.label)}-s{seed}"
                probings.append(Probing(model, suite, seed, folder, generations.get(key)))
    return Steps(tuple(suites), tuple(generations.values()), tuple(probings))


def slug(name: str) -> str:
    """A name as a part of a folder's name; different names stay different."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:40]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _digest(prompts: PromptSet) -> str:
    return hashlib.sha256(
        canonical_json([[each.id, each.prompt, each.class_id, each.seed] for each in prompts.prompts])
    ).hexdigest()
