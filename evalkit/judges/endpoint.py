"""`http:URL#MODEL`: judges behind an OpenAI-compatible endpoint (OpenAI, vLLM, SGLang, proxies)."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.judges.base import Judge
from evalkit.judges.chat import blocked, error_of, raw_reply
from evalkit.judges.reply import RawReply
from evalkit.judges.request import JudgeRequest
from evalkit.remote import AGAIN, endpoint
from evalkit.transport import HttpReply, NoReply, origin, post, redacted, retry_after

SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached"})  # codes of 429 that time does not mend


@dataclass(frozen=True)
class Patience:
    """`attempts` of a request; `first_wait` seconds before the second one, doubled each time up to `longest_wait`.

    `longest_pause`: an endpoint that asks for more is not waited for. `timeout`: of each wait for the network, in
    seconds. `most_bytes`: of a reply.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_pause: float = 600.0
    timeout: float = 120.0
    most_bytes: int = 16_000_000


class EndpointJudge(Judge):
    """Asks a chat model; statuses 429 and 5xx are asked again when the endpoint says so, until the deadline."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        snapshot: str | None = None,
        in_flight: int = 8,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url`: with or without /v1. Raises `EvalkitError` where it is no web address, or holds a key."""
        if not model:
            raise EvalkitError(f"{url!r} names no model. Give http:URL#MODEL")
        self.url = endpoint(url, "/chat/completions")
        self.model, self.snapshot, self.in_flight = model, snapshot, in_flight
        self.patience, self.sleep = patience or Patience(), sleep

    @property
    def facts(self) -> dict[str, str | None]:
        """The judge, and the origin it was asked at."""
        return {**super().facts, "origin": origin(self.url)}

    def reply(self, request: JudgeRequest, deadline: float) -> RawReply:
        """The raw reply with the attempts and seconds it took; never a key in it."""
        body = json.dumps(request.body(self.model), allow_nan=False).encode()
        began, raw = time.monotonic(), RawReply("error", error="deadline")
        for attempt in range(1, self.patience.attempts + 1):
            if time.monotonic() >= deadline:
                break
            raw, wait = self._once(body, deadline)
            raw = replace(raw, attempts=attempt)
            if wait is None or attempt == self.patience.attempts:
                break
            pause = max(wait, self._backoff(attempt))
            if pause > self.patience.longest_pause:
                raw = replace(raw, error=f"{raw.error} (it asks to wait {wait:.0f} s)")
                break
            if time.monotonic() + pause >= deadline:
                raw = replace(raw, error=f"deadline, after: {raw.error}")
                break
            self.sleep(pause)
        return replace(raw, seconds=round(time.monotonic() - began, 3))

    def _backoff(self, attempt: int) -> float:
        wait = min(self.patience.longest_wait, self.patience.first_wait * 2.0 ** (attempt - 1))
        return wait * random.uniform(0.75, 1.25)

    def _once(self, body: bytes, deadline: float) -> tuple[RawReply, float | None]:
        """One attempt, and the least seconds to wait before another (None: there is no use in another)."""
        patience = self.patience
        try:
            got = post(self.url, body, deadline=deadline, timeout=patience.timeout, most_bytes=patience.most_bytes)
        except NoReply as error:
            return RawReply("error", error=redacted(str(error))), 0.0
        return self._read(got)

    def _read(self, got: HttpReply) -> tuple[RawReply, float | None]:
        found = _json(got.body)
        said, code, inner = error_of(found)
        status = inner if got.status == 200 and inner else got.status
        if got.status == 200 and not said:
            try:
                return raw_reply(found), None
            except DAMAGED:
                return RawReply("error", error="the endpoint's reply is no chat completion"), 0.0
        text = said or got.body[:300].decode("utf-8", "replace").strip()
        if blocked(code, text):
            return RawReply("blocked", error=redacted(text)), None
        error = RawReply("error", error=redacted(f"{origin(self.url)} answers {status}: {text[:300]}"))
        return error, retry_after(got.headers) if status in AGAIN and code not in SPENT else None


def _json(data: bytes) -> Any:
    try:
        return parse_json(data, "the reply")
    except ValueError:
        return None
