"""What a judged suite is run with: who judges, where its files lie, what it may cost."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.live import hold
from evalkit.jobs.spec import DataRef, ModelRef
from evalkit.judges.base import Judge
from evalkit.judges.registry import load_judge
from evalkit.tasks.probe.judged.items import items_lines
from evalkit.tasks.probe.judged.suite import JudgedSuite
from evalkit.weights.download import cache_folder


@dataclass(frozen=True)
class JudgeOptions:
    """`judge`: `http:URL#MODEL`, `transformers:REPO`, `ocr:NAME`, another package's name, or the judge itself.

    `data`: the folder of the benchmark's files [default: what `evalkit probes fetch` brought]. `sources`: of the images
    that edits start from [default: `data`]. `replies`: the file that keeps every reply [default: in the cache, by the
    judge's name]. `tries`: how often a question is asked where its reply cannot be read [default: as officially].
    `refused_too`: refusals are asked anew as well. `prices`: of a million prompt and reply tokens, in any currency.
    `budget`: in that currency; `requests`: at most so many; `deadline`: seconds for each shard.
    """

    judge: str | Judge | None = None
    data: Path | None = None
    sources: Path | None = None
    replies: Path | None = None
    tries: int | None = None
    refused_too: bool = False
    prices: tuple[float, float] = (0.0, 0.0)
    budget: float | None = None
    requests: int | None = None
    deadline: float | None = None

    def opened(self, suite: JudgedSuite) -> JudgedSuite:
        """The suite with its items. Raises `EvalkitError` where its files are not there."""
        folder = self.data or cache_folder() / "suites" / suite.name
        if not folder.is_dir():
            raise EvalkitError(
                f"the files of {suite.name} are not in {folder}. Type evalkit probes fetch {suite.name}, or give --data DIR"
            )
        return suite.opened(folder.expanduser(), self.sources)

    def model(self, suite: JudgedSuite, device: str) -> tuple[ModelRef, Judge]:
        """The judge as a spec names it, and the judge. Raises `EvalkitError` where none was given."""
        if self.judge is None:
            raise EvalkitError(
                f"the probe {suite.name} needs a judge (officially {suite.said.judge}). "
                "Give --judge http:URL#MODEL or transformers:REPO"
            )
        made = self.judge if isinstance(self.judge, Judge) else load_judge(self.judge, device)
        weights = hold(made) if isinstance(self.judge, Judge) else self.judge
        return ModelRef(made.model, settings={"snapshot": made.snapshot}, weights=weights), made

    def inputs(self, suite: JudgedSuite) -> dict[str, DataRef]:
        """The benchmark's files as an input."""
        digest = _digest(suite)
        return {"data": DataRef(suite.name, len(suite.items), digest, source=str(suite.folder))}

    def parameters(self, suite: JudgedSuite) -> dict[str, Any]:
        """What decides the replies besides the judge."""
        said = {"tries": self.tries or suite.said.tries, "refused_too": self.refused_too}
        return {**said, "measures": suite.said.measures} if suite.said.measures else said

    def here(self, suite: JudgedSuite) -> Mapping[str, Any]:
        """What decides no reply."""
        said = {
            "suite": hold(suite),
            "sources": str(suite.sources),
            "replies": None if self.replies is None else str(self.replies),
            "prices": list(self.prices),
            "budget": self.budget,
            "requests": self.requests,
            "deadline": self.deadline,
        }
        return {name: value for name, value in said.items() if value is not None}


def _digest(suite: JudgedSuite) -> str:
    return hashlib.sha256(items_lines(suite.items)).hexdigest()
