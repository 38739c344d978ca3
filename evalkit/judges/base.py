"""The contract of judges."""

from __future__ import annotations

from abc import ABC, abstractmethod

from evalkit.judges.reply import RawReply
from evalkit.judges.request import JudgeRequest


class Judge(ABC):
    """A vision-language model that is asked about images.

    `model`: its name, as benchmarks print it and as an endpoint knows it. `snapshot`: what pins it beyond that name, such
    as the sha256 of local weights; None where the name is all there is. `in_flight`: requests it takes at a time.
    """

    model: str
    snapshot: str | None = None
    in_flight: int = 1

    @abstractmethod
    def reply(self, request: JudgeRequest, deadline: float) -> RawReply:
        """The raw reply, by `deadline` on the clock of `time.monotonic`. Failures are replies of kind "error"."""

    @property
    def facts(self) -> dict[str, str | None]:
        """What a record says of this judge."""
        return {"judge": self.model, "snapshot": self.snapshot}

    def key(self, request: JudgeRequest) -> str:
        """The key under which the reply to a request is kept."""
        return request.key(self.model, self.snapshot)
