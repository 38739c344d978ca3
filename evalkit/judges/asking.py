"""Asking many questions: several in flight, each once, from the store where its reply is known, until a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from evalkit.errors import EvalkitError
from evalkit.judges.base import Judge
from evalkit.judges.outcome import Reader, outcome
from evalkit.judges.reply import RawReply, Reply
from evalkit.judges.request import JudgeRequest
from evalkit.judges.store import ReplyStore
from evalkit.judges.usage import Ledger

_LONG = 365 * 86_400.0  # seconds: no deadline


@dataclass(frozen=True)
class AskOptions:
    """`in_flight`: requests at a time (None: as many as the judge takes). `deadline`: seconds for all questions together.

    `parse_tries`: how often a question is asked anew where its reply holds no answer, each reply kept of its own.
    `refused_too`: whether a refusal is asked anew as well.
    """

    in_flight: int | None = None
    deadline: float | None = None
    parse_tries: int = 1
    refused_too: bool = False

    def __post_init__(self) -> None:
        """Raise `EvalkitError` for counts below 1 and a deadline that is no time."""
        if (self.in_flight is not None and self.in_flight < 1) or self.parse_tries < 1:
            raise EvalkitError("in_flight and parse_tries are counts. Give whole numbers from 1")
        if self.deadline is not None and not self.deadline > 0:
            raise EvalkitError(f"the deadline is {self.deadline} seconds. Give a number above 0")


@dataclass
class _Campaign:
    judge: Judge
    store: ReplyStore | None
    ledger: Ledger
    until: float
    tries: int
    again: tuple[str, ...]
    locks: dict[str, threading.Lock] = field(default_factory=dict)
    known: dict[str, RawReply] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)


def ask(
    judge: Judge,
    requests: Sequence[JudgeRequest],
    reader: Reader | Sequence[Reader],
    *,
    store: ReplyStore | None = None,
    ledger: Ledger | None = None,
    options: AskOptions | None = None,
) -> list[Reply]:
    """The outcome of every request, in their order; equal requests are asked once. `reader`: of all, or one of each.

    What the budget or the deadline leaves out is `failed` with that word, is not stored, and is asked by the next run.
    """
    options = options or AskOptions()
    until = time.monotonic() + (options.deadline or _LONG)
    again = ("unparsed", "refused") if options.refused_too else ("unparsed",)
    campaign = _Campaign(judge, store, ledger or Ledger(), until, options.parse_tries, again)
    readers = [reader] * len(requests) if isinstance(reader, Reader) else reader
    if not requests:
        return []
    pool = ThreadPoolExecutor(options.in_flight or judge.in_flight, thread_name_prefix="judge")
    try:
        return list(pool.map(lambda request, reader: _one(campaign, request, reader), requests, readers))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one(campaign: _Campaign, request: JudgeRequest, reader: Reader) -> Reply:
    """The first answer of up to `tries` replies, or the last outcome."""
    for number in range(campaign.tries):
        asked = request.again(request.repeat + number)
        key = campaign.judge.key(asked)
        reply = outcome(key, _raw(campaign, key, asked), reader)
        if reply.state not in campaign.again:
            break
    return reply


def _raw(campaign: _Campaign, key: str, request: JudgeRequest) -> RawReply:
    with campaign.guard:
        lock = campaign.locks.setdefault(key, threading.Lock())
    with lock:
        kept = campaign.known.get(key) or (campaign.store.get(key) if campaign.store else None)
        if kept is None:
            kept = _fresh(campaign, key, request)
            if kept.kind != "error":
                campaign.known[key] = kept
        return kept


def _fresh(campaign: _Campaign, key: str, request: JudgeRequest) -> RawReply:
    if time.monotonic() >= campaign.until:
        return RawReply("error", error="deadline", attempts=0)
    with campaign.ledger.admitted() as seat:
        if seat is None:
            return RawReply("error", error=campaign.ledger.stopped, attempts=0)
        raw = campaign.judge.reply(request, campaign.until)
        seat.append(raw)
        if campaign.store is None or raw.error == "deadline":
            return raw
        return campaign.store.put(key, raw, {**campaign.judge.facts, **request.described()})
