"""Connections that cost nothing for long: who sends no request, or takes no answer, is let go."""

from __future__ import annotations

import asyncio
from typing import Literal

from uvicorn.protocols.http.h11_impl import H11Protocol


class Bounded(H11Protocol):
    """HTTP/1.1 that waits for a bounded time outside of requests, and while a client takes no more of its answer.

    uvicorn itself waits for ever for the rest of a header, and for a reader that stopped.
    """

    wait, stuck = 20.0, 60.0  # seconds for the whole head of a request; for a client that takes nothing
    _waiting: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self._settle()

    def data_received(self, data: bytes) -> None:
        """Bytes do not make the wait longer; a request ends it."""
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        """The next request, or the rest of a refused body, has its own time."""
        super().on_response_complete()
        self._settle()

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        super().pause_writing()
        self._stuck = self.loop.call_later(self.stuck, self.transport.abort)

    def resume_writing(self) -> None:
        """It takes more."""
        super().resume_writing()
        self._over("_stuck")

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        super().connection_lost(exc)
        self._over("_waiting")
        self._over("_stuck")

    def _settle(self) -> None:
        asked = self.cycle is not None and not self.cycle.response_complete
        if asked or self.transport.is_closing():
            self._over("_waiting")
        elif self._waiting is None:
            self._waiting = self.loop.call_later(self.wait, self.transport.abort)

    def _over(self, name: Literal["_waiting", "_stuck"]) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
        setattr(self, name, None)
