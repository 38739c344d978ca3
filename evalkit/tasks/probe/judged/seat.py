"""The judge's seat: questions about a shard's images in, their replies out, none asked twice, within the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.judges.asking import AskOptions, ask
from evalkit.judges.base import Judge
from evalkit.judges.outcome import Reader
from evalkit.judges.reply import Reply
from evalkit.judges.request import JudgeRequest
from evalkit.judges.store import ReplyStore
from evalkit.judges.usage import Ledger
from evalkit.weights.download import cache_folder

_STOPS = ("budget", "deadline")


@dataclass
class Seat:
    """A judge with the store of its replies, its ledger, and how often it is asked. `repeat`: which of several replies."""

    judge: Judge
    store: ReplyStore | None = None
    ledger: Ledger = field(default_factory=Ledger)
    options: AskOptions = field(default_factory=AskOptions)
    repeat: int = 0

    def ask(self, requests: Sequence[JudgeRequest], readers: Sequence[Reader]) -> list[Reply]:
        """The replies in order. Raises `EvalkitError` where the budget or the deadline ends the asking."""
        requests = [request.again(self.repeat) for request in requests] if self.repeat else requests
        replies = ask(self.judge, requests, readers, store=self.store, ledger=self.ledger, options=self.options)
        stopped = [r for r in replies if r.state == "failed" and r.detail.startswith(_STOPS)]
        if stopped:
            used = self.ledger.usage
            raise EvalkitError(
                f"the {stopped[0].detail} ended the asking after {used.requests:,} requests. "
                "Type the command again with a larger one: what was answered is kept"
            )
        return replies

    @property
    def facts(self) -> dict[str, Any]:
        """What evidence says of the judge."""
        return {**self.judge.facts, "tries": self.options.parse_tries}

    @property
    def used(self) -> Mapping[str, Any]:
        """Requests, tokens and their cost."""
        used = self.ledger.usage
        return {
            "requests": used.requests,
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
            "cost": used.cost,
        }

    def close(self) -> None:
        """Close the store."""
        if self.store is not None:
            self.store.close()


def replies_file(judge: str) -> Path:
    """Where replies of the judge called `judge` are kept where nobody names a file."""
    name = "".join(each if each.isalnum() or each in "._-" else "-" for each in judge)[:80]
    return cache_folder() / "replies" / f"{name}.jsonl"
