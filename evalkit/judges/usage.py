"""What judges cost: tokens and requests counted, and a budget that stops asking before it is exceeded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from evalkit.errors import EvalkitError
from evalkit.judges.reply import RawReply


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, in any one currency, of prompts (images included) and of replies."""

    prompt: float = 0.0
    completion: float = 0.0

    def __post_init__(self) -> None:
        """Raise `EvalkitError` for a negative price."""
        if not (self.prompt >= 0 and self.completion >= 0):
            raise EvalkitError("a price is negative. Give what a million tokens cost, from 0")


@dataclass(frozen=True)
class Usage:
    """Totals: requests, tokens as the endpoint counted them, their cost, and answers whose tokens it did not count."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    uncounted: int = 0

    def plus(self, raw: RawReply, prices: Prices) -> Usage:
        """The totals with one more reply."""
        sent, got = raw.prompt_tokens or 0, raw.completion_tokens or 0
        cost = (sent * prices.prompt + got * prices.completion) / 1e6
        unknown = raw.kind == "answer" and raw.prompt_tokens is None
        return Usage(
            self.requests + 1,
            self.prompt_tokens + sent,
            self.completion_tokens + got,
            self.cost + cost,
            self.uncounted + int(unknown),
        )


class Ledger:
    """Counts usage over threads, and lets a request through only where the budget surely holds it.

    `most_cost`, `most_requests`: the budget, None for none. A request is expected to cost as much as the dearest so far.
    Until the first cost is known, one request is in flight at a time. So only a reply that is dearer than all before it
    can exceed the budget.
    """

    def __init__(
        self, prices: Prices | None = None, *, most_cost: float | None = None, most_requests: int | None = None
    ) -> None:
        """Raise `EvalkitError` for a budget of money without prices, or a negative one."""
        self.prices = prices or Prices()
        if most_cost is not None and not (self.prices.prompt or self.prices.completion):
            raise EvalkitError(
                "a budget of money needs prices. Give what a million tokens cost, or a number of requests"
            )
        if (most_cost is not None and not most_cost >= 0) or (most_requests is not None and most_requests < 0):
            raise EvalkitError("a budget is negative. Give 0 or more")
        self.most_cost, self.most_requests = most_cost, most_requests
        self.usage = Usage()
        self._dearest = 0.0
        self._flying = 0
        self._turn = threading.Condition()

    @contextmanager
    def admitted(self) -> Iterator[list[RawReply] | None]:
        """A list into which the reply is put, or None where the budget is spent; waits while others may spend it."""
        with self._turn:
            self._turn.wait_for(lambda: bool(self.stopped) or self._fits())
            stopped = bool(self.stopped)
            self._flying += not stopped
        got: list[RawReply] = []
        try:
            yield None if stopped else got
        finally:
            with self._turn:
                self._flying -= not stopped
                for raw in got:
                    before = self.usage.cost
                    self.usage = self.usage.plus(raw, self.prices)
                    self._dearest = max(self._dearest, self.usage.cost - before)
                self._turn.notify_all()

    @property
    def stopped(self) -> str:
        """Why no further request is let through; empty while one may be."""
        used = self.usage
        if self.most_requests is not None and used.requests >= self.most_requests:
            return "budget"
        if self.most_cost is None:
            return ""
        if used.uncounted:
            return "budget: the endpoint counts no tokens"
        return "budget" if used.cost >= self.most_cost or used.cost + self._dearest > self.most_cost else ""

    def _fits(self) -> bool:
        """Whether one more fits beside those in flight."""
        if self.most_requests is not None and self.usage.requests + self._flying >= self.most_requests:
            return False
        if self.most_cost is None:
            return True
        if self._dearest == 0:
            return self._flying == 0
        return self.usage.cost + (self._flying + 1) * self._dearest <= self.most_cost
