"""Calls of OpenAI-compatible endpoints: time limits, retries with jitter, and a key that is never shown."""

from __future__ import annotations

import http.client
import json
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jsonio import parse_json

KEYS = ("EVALKIT_API_KEY", "OPENAI_API_KEY")
WAIT, MOST = 1.0, 60.0  # seconds before the second attempt, and at most
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class RemoteError(Exception):
    """The endpoint gave no answer; `final` where asking again would be in vain."""

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.final = final


def post_json(
    url: str,
    body: dict[str, Any],
    *,
    timeout: float = 300.0,
    tries: int = 5,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """The JSON object that the endpoint answers; `Retry-After` is honoured. Raises `RemoteError`.

    The key is read from EVALKIT_API_KEY, else OPENAI_API_KEY; endpoints of one's own may need none.
    """
    for attempt in range(1, tries + 1):
        wait = min(MOST, WAIT * 2 ** (attempt - 1)) * random.uniform(0.5, 1.5)
        try:
            return _once(url, body, timeout)
        except urllib.error.HTTPError as error:
            said = f"{host(url)} answers {error.code}: {_said(error)}"
            if error.code not in AGAIN or attempt == tries:
                raise RemoteError(said, final=error.code not in AGAIN) from None
            wait = max(wait, _retry_after(error))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            if attempt == tries:
                raise RemoteError(f"{host(url)} gave no answer after {tries} attempts: {reason}", final=False) from None
        sleep(wait)
    raise RemoteError(f"{host(url)} was not asked", final=True)


def endpoint(url: str, path: str) -> str:
    """`url` (with or without /v1) followed by `path`; raises `EvalkitError` where it is no web address."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise EvalkitError(f"{url!r} is no web address; give http:https://HOST/v1#MODEL")
    if parts.username or parts.password:
        raise EvalkitError(f"a key does not belong into an address; put it into {KEYS[0]}")
    return url.rstrip("/") + path


def host(url: str) -> str:
    """The address without path and query, as messages and records show it."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _once(url: str, body: dict[str, Any], timeout: float) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "User-Agent": "evalkit"}
    key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
    if key:
        headers["Authorization"] = f"Bearer {key}"
    asked = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=timeout) as answer:
        found = parse_json(answer.read(), "the answer")
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    return found


def _said(error: urllib.error.HTTPError) -> str:
    try:
        text = error.read(2000).decode("utf-8", "replace")
    except OSError:
        return str(error.reason)
    try:
        found = parse_json(text, "the answer")
        return str(found["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return text.strip()[:300] or str(error.reason)


def _retry_after(error: urllib.error.HTTPError) -> float:
    try:
        return min(MOST, float(error.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
