"""What a request may cost before anything of it is believed: bytes of one, bytes of all at a time, seconds to arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evalkit.errors import EvalkitError

BUSY = "the service is busy; ask again in a few seconds"


@dataclass(frozen=True)
class Bounds:
    """`most_bytes` of an image file, `images` of a batch, `all_bytes` of all requests at a time, `seconds` for a body."""

    most_bytes: int = 2**25
    images: int = 64
    all_bytes: int = 2**29
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if min(self.most_bytes, self.images, self.seconds) <= 0 or self.all_bytes < self.most_bytes:
            raise EvalkitError("bounds are above 0, and all requests hold at least one image. Give larger ones")

    @property
    def body(self) -> int:
        """Bytes that any body may have."""
        return min(self.all_bytes, self.images * (self.most_bytes + 2**12))


class Refused(Exception):
    """A request that is not answered: a status, one sentence, and the seconds after which to ask again."""

    def __init__(self, status: int, sentence: str, wait: float = 0.0) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.wait = status, sentence, wait

    def response(self) -> JSONResponse:
        """As it is sent."""
        headers = {"Retry-After": str(int(self.wait) + 1)} if self.wait else None
        return JSONResponse({"error": self.sentence}, self.status, headers)


class Room:
    """Bytes of bodies that are held at a time."""

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0

    @asynccontextmanager
    async def guarded(self, receive: Receive, most: int) -> AsyncIterator[Receive]:
        """`receive` that raises `Refused` where a body, or all of them, are larger; what it took is given back."""
        mine = 0

        async def counted() -> Message:
            nonlocal mine
            message = await receive()
            size = len(message.get("body", b""))
            mine += size
            self.held += size
            if mine > most:
                raise Refused(413, f"a request here has at most {most:,} bytes")
            if self.held > self.most:
                raise Refused(503, BUSY, 5)
            return message

        try:
            yield counted
        finally:
            self.held -= mine


class Bounded:
    """Every HTTP request within the bounds; the answers carry headers that browsers heed."""

    HEADERS = (
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    )

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self.app, self.bounds, self.room = app, bounds, Room(bounds.all_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *self.HEADERS]}
            await send(message)

        try:
            refused = _too_large(scope, self.bounds.body)
            if refused is not None:
                raise refused
            async with self.room.guarded(receive, self.bounds.body) as counted:
                await self.app(scope, counted, sent)
        except Refused as error:
            await error.response()(scope, receive, sent)


def _too_large(scope: Scope, most: int) -> Refused | None:
    """A refusal by what the header says of the size, before any byte is read."""
    said: dict[bytes, Any] = dict(scope["headers"])
    length = said.get(b"content-length", b"0")
    if not (length.isdigit() and len(length) < 20):
        return Refused(400, "the length of the body is no number")
    return Refused(413, f"a request here has at most {most:,} bytes") if int(length) > most else None
