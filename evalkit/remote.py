"""JSON asked of OpenAI-compatible endpoints: attempts with jitter, one overall deadline, and a key that is never shown."""

from __future__ import annotations

import json
import random
import time
import urllib.parse
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.transport import OWN_KEY, HttpReply, NoReply, origin, post, redacted, redacted_json, retry_after

WAIT, MOST = 1.0, 60.0  # seconds before the second attempt, and at most
SIZE = 256_000_000  # bytes of an answer
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})


class RemoteError(Exception):
    """The endpoint gave no answer; `final` where asking again would be in vain."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True)
class Answer:
    """The JSON object that an endpoint gave, without any key in it, and the requests that it took."""

    found: Mapping[str, Any]
    attempts: int


def post_json(
    url: str,
    body: dict[str, Any],
    *,
    timeout: float = 300.0,
    seconds: float = 900.0,
    tries: int = 5,
    sleep: Callable[[float], None] = time.sleep,
) -> Answer:
    """The endpoint's answer to `body`; `Retry-After` is honoured. Raises `RemoteError`.

    `timeout`: of each wait for the network; `seconds`: of all attempts and pauses together. The rules for keys,
    redirects and sizes are those of `evalkit.transport.post`.
    """
    return _asked(url, json.dumps(body).encode(), "application/json", timeout, seconds, tries, sleep)


def post_form(
    url: str,
    fields: Mapping[str, Any],
    files: Sequence[tuple[str, str, bytes]],
    *,
    timeout: float = 300.0,
    seconds: float = 900.0,
    tries: int = 5,
) -> Answer:
    """As `post_json`, for a form of fields and of PNG `files` (field, file name, bytes)."""
    border = uuid.uuid4().hex
    head = f"--{border}\r\nContent-Disposition: form-data; name="
    parts = [f'{head}"{name}"\r\n\r\n{_plain(value)}\r\n'.encode() for name, value in fields.items()]
    for name, file, data in files:
        about = f'{head}"{name}"; filename="{file}"\r\nContent-Type: image/png\r\n\r\n'
        parts.append(about.encode() + data + b"\r\n")
    body = b"".join([*parts, f"--{border}--\r\n".encode()])
    return _asked(url, body, f"multipart/form-data; boundary={border}", timeout, seconds, tries, time.sleep)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _asked(
    url: str, data: bytes, kind: str, timeout: float, seconds: float, tries: int, sleep: Callable[[float], None]
) -> Answer:
    deadline, reason = time.monotonic() + seconds, "it was not asked"
    for attempt in range(1, tries + 1):
        pause = min(MOST, WAIT * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5)
        try:
            reply = post(url, data, deadline=deadline, timeout=timeout, most_bytes=SIZE, kind=kind)
            if reply.status == 200:
                return Answer(_object(reply.body), attempt)
            reason = f"{host(url)} answers {reply.status}: {_said(reply)}"
            if reply.status not in AGAIN:
                raise RemoteError(redacted(reason), final=True)
            pause = max(pause, min(MOST, retry_after(reply.headers)))
        except (NoReply, ValueError) as error:
            reason = f"{host(url)} gave no answer after {attempt} attempts: {error}"
        if attempt == tries:
            break
        if time.monotonic() + pause >= deadline:
            reason = f"{reason} (no more than {seconds:g} s are waited)"
            break
        sleep(pause)
    raise RemoteError(redacted(reason), final=False)


def endpoint(url: str, path: str) -> str:
    """`url` (with or without /v1) followed by `path`; raises `EvalkitError` where it is no web address."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise EvalkitError(f"{url!r} is no web address; give http:https://HOST/v1#MODEL")
    if parts.username or parts.password:
        raise EvalkitError(f"a key does not belong into an address; put it into {OWN_KEY}")
    origin(url)
    return url.rstrip("/") + path


def host(url: str) -> str:
    """The address without path and query, as messages and records show it."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _object(data: bytes) -> Mapping[str, Any]:
    found = parse_json(data, "the answer")
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    return {name: value if name == "data" else redacted_json(value) for name, value in found.items()}


def _said(reply: HttpReply) -> str:
    text = reply.body[:2000].decode("utf-8", "replace")
    if 300 <= reply.status < 400:
        return "a redirect, which is not followed; give the address that it leads to"
    try:
        found = parse_json(text, "the answer")
        if "detail" in found:  # of servers built with FastAPI
            return str(found["detail"])[:300]
        return str(found["error"]["message"])[:300]
    except DAMAGED:
        return text.strip()[:300] or "nothing"
