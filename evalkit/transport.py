"""One HTTP request: bounded in time and size, without redirects, its key bound to an origin. The home of these rules."""

from __future__ import annotations

import email.utils
import http.client
import ipaddress
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.errors import EvalkitError

OWN_KEY, OPENAI_KEY = "EVALKIT_API_KEY", "OPENAI_API_KEY"
OPENAI = "https://api.openai.com"
_CHUNK = 65_536
_SECRET = 8  # characters from which a key is a secret
_TOKENS = re.compile(r"(?i)(bearer\s+|\bsk-)[A-Za-z0-9._~+/=-]{8,}")


class NoReply(Exception):
    """The endpoint gave no whole reply: it was not reached, broke off, was too slow, or sent too much."""


@dataclass(frozen=True)
class HttpReply:
    """Status, headers (names in lower case) and body of a reply."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is a reply like any other: what was meant for one address is not sent to a second."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        """Follow nothing."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def post(
    url: str, body: bytes, *, deadline: float, timeout: float, most_bytes: int, kind: str = "application/json"
) -> HttpReply:
    """The reply to a POST of a body of media type `kind`.

    `deadline`: on the clock of `time.monotonic`; `timeout`: of each wait, in seconds.

    Raises `NoReply` where there is no whole reply.
    """
    headers = {"Content-Type": kind, "User-Agent": "evalkit", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, body, headers)
    if key := key_for(url):
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    return _answered(request, deadline, timeout, most_bytes)


def get(url: str, *, asked: str, deadline: float, timeout: float, most_bytes: int) -> bytes:
    """The bytes of a file that the endpoint `asked` names in its answer.

    The key goes along to the endpoint's own origin alone. An endpoint out in the world cannot name an address within
    this machine or a private network. Raises `NoReply` where there are no bytes, redirects included.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise NoReply("the answer names no web address")
    if _is_near(parts.hostname) and not _is_near(urllib.parse.urlsplit(asked).hostname or ""):
        raise NoReply(f"the answer names {origin(url)}, an address within this network, which is not read")
    request = urllib.request.Request(url, headers={"User-Agent": "evalkit", "Accept-Encoding": "identity"})
    if origin(url) == origin(asked) and (key := key_for(url)):
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    found = _answered(request, deadline, timeout, most_bytes)
    if found.status != 200:
        raise NoReply(f"{origin(url)} answers {found.status}")
    return found.body


def _answered(request: urllib.request.Request, deadline: float, timeout: float, most_bytes: int) -> HttpReply:
    url = request.full_url
    try:
        with _opened(request, min(timeout, max(0.001, deadline - time.monotonic()))) as answer:
            named = {name.lower(): value for name, value in answer.headers.items()}
            return HttpReply(int(answer.status), named, _read(answer, deadline, most_bytes))
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NoReply(f"{origin(url)} gave no reply: {str(reason) or type(error).__name__}") from None


def key_for(url: str) -> str | None:
    """The key that may be sent to an address, from the environment alone.

    EVALKIT_API_KEY goes to the endpoint that was named, over TLS or within a private network. OPENAI_API_KEY goes to the
    origin it is for: api.openai.com, or that of OPENAI_BASE_URL. Raises `EvalkitError` where a key would travel in clear.
    """
    mine = origin(url)
    own = os.environ.get(OWN_KEY, "").strip()
    theirs = os.environ.get(OPENAI_KEY, "").strip()
    key = own or (theirs if mine == origin(os.environ.get("OPENAI_BASE_URL") or OPENAI) else "")
    if any(ord(character) < 33 or ord(character) > 126 for character in key):
        raise EvalkitError(f"the key in {OWN_KEY if own else OPENAI_KEY} holds blanks or odd characters. Set it again")
    parts = urllib.parse.urlsplit(url)
    if key and parts.scheme != "https" and not _is_near(parts.hostname or ""):
        raise EvalkitError(f"a key would go to {mine} in clear. Give an https address, or unset {OWN_KEY}")
    return key or None


def origin(url: str) -> str:
    """Scheme, host and port of an address.

    >>> origin("https://api.openai.com:443/v1/chat")
    'https://api.openai.com'
    """
    parts = urllib.parse.urlsplit(url)
    port = {"https": 443, "http": 80}.get(parts.scheme)
    try:
        given = parts.port
    except ValueError:
        raise EvalkitError(f"{url!r} is no web address. Give http:URL#MODEL") from None
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{given}" if given not in (None, port) else "")


def redacted(text: str) -> str:
    """`text` without the keys of the environment and without anything in the place of a bearer token.

    Placeholders of fewer than eight characters, such as EMPTY, are no secrets and stay.
    """
    for name in (OWN_KEY, OPENAI_KEY):
        key = os.environ.get(name, "").strip()
        if len(key) >= _SECRET:
            text = text.replace(key, "[key]")
    return _TOKENS.sub(r"\1[key]", text)


def redacted_json(value: Any) -> Any:
    """A JSON value whose texts are all `redacted`."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {name: redacted_json(each) for name, each in value.items()}
    return [redacted_json(each) for each in value] if isinstance(value, list | tuple) else value


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a reply asks to wait: Retry-After as seconds or as a date, 0 where there is none."""
    said = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(said)) if said else 0.0
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _opened(request: urllib.request.Request, timeout: float) -> Any:
    try:
        return _OPENER.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        return error


def _read(answer: Any, deadline: float, most_bytes: int) -> bytes:
    """The body, piece by piece, so that neither a slow nor an endless one is waited for."""
    pieces: list[bytes] = []
    size = 0
    while piece := answer.read1(_CHUNK):
        size += len(piece)
        if size > most_bytes:
            raise ValueError(f"the reply exceeds {most_bytes:,} bytes")
        pieces.append(piece)
        if time.monotonic() > deadline:
            raise TimeoutError("the deadline passed within the reply")
    if size < int(answer.headers.get("Content-Length") or 0):
        raise ValueError("the reply broke off")
    return b"".join(pieces)


def _is_near(host: str) -> bool:
    """Whether a host is this machine or stands in a private network (a name without dots, a private address)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return address.is_loopback or address.is_private
