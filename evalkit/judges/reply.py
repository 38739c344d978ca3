"""What a judge replies: the raw reply as it came, and the outcome of reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["answer", "blocked", "error"]
State = Literal["answered", "refused", "unparsed", "failed"]
STATES: tuple[State, ...] = ("answered", "refused", "unparsed", "failed")


@dataclass(frozen=True)
class Token:
    """One token of the reply: its text, its natural log probability, and the likeliest alternatives at its place."""

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class RawReply:
    """What came back, before anyone read it.

    `kind`: an answer; blocked by a content filter before there was one; or an error. `finish`: why the text ends, in
    the endpoint's word (stop, length, content_filter). `refusal`: the text of the field of that name. `model` and
    `fingerprint`: what the endpoint says it is. `prompt_tokens`, `completion_tokens`: None where nothing is said.
    """

    kind: Kind = "answer"
    text: str = ""
    finish: str = ""
    refusal: str = ""
    error: str = ""
    model: str = ""
    fingerprint: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens: tuple[Token, ...] = ()
    attempts: int = 1
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The fields that say something."""
        plain = asdict(self)
        plain["tokens"] = [[t.text, t.logprob, [list(pair) for pair in t.top]] for t in self.tokens]
        return {name: value for name, value in plain.items() if value not in ("", None, [])}


@dataclass(frozen=True)
class Reply:
    """The outcome of one question: `value` where the state is `answered`; `detail` says how it was lost otherwise.

    refused: "refusal", "refusal in words", "content filter". unparsed: "truncated", "empty", or what is missing in the
    text. failed: why there is no reply ("budget", "deadline", or the endpoint's error).
    """

    key: str
    state: State
    detail: str = ""
    value: Any = None
    raw: RawReply = field(default_factory=RawReply)

    @property
    def answered(self) -> bool:
        """Whether there is a value."""
        return self.state == "answered"


def raw_reply_of(plain: Mapping[str, Any]) -> RawReply:
    """The raw reply that `as_json` wrote. Raises ValueError, TypeError or KeyError for anything else."""
    tokens = tuple(
        Token(str(text), float(logprob), tuple((str(t), float(p)) for t, p in top))
        for text, logprob, top in plain.get("tokens", [])
    )
    rest = {name: value for name, value in plain.items() if name != "tokens"}
    odd = [name for name, value in rest.items() if not isinstance(value, _TYPES[name]) or isinstance(value, bool)]
    if odd or rest.get("kind", "answer") not in ("answer", "blocked", "error"):
        raise ValueError(f"{odd or 'kind'} is not of a reply")
    return RawReply(**rest, tokens=tokens)


_NUMBERS = {"prompt_tokens": int, "completion_tokens": int, "attempts": int, "seconds": (int, float)}
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("kind", "text", "finish", "refusal", "error", "model", "fingerprint"), str),
    **_NUMBERS,
}
