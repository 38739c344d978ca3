"""What a judge is asked: messages whose texts and images keep their order, and the parameters of decoding."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class ImagePart:
    """An image as it is sent: the bytes of a file, its MIME type, and the endpoint's `detail` where one is named."""

    data: bytes = field(repr=False)
    mime: str
    detail: str | None = None

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return hashlib.sha256(self.data).hexdigest()


Part = str | ImagePart


@dataclass(frozen=True)
class Message:
    """One turn: texts and images in the order in which the judge reads them."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Parameters:
    """How a judge decodes. None: not sent, so that the endpoint's own default holds (some benchmarks do so).

    `top_logprobs`: alternatives for each token, where probabilities are wanted. `schema`: a JSON schema that the reply
    must follow; it changes token probabilities, so both exclude each other. `limit_field`: the name under which
    `max_tokens` goes out. `extra`: further fields of the request's body, such as chat_template_kwargs.
    """

    temperature: float | None = 0.0
    max_tokens: int | None = 1024
    top_p: float | None = None
    seed: int | None = None
    top_logprobs: int | None = None
    schema: Mapping[str, Any] | None = None
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `EvalkitError` for values that no endpoint takes."""
        if self.schema is not None and self.top_logprobs is not None:
            raise EvalkitError("a schema changes the probabilities of tokens. Ask for one of schema and top_logprobs")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise EvalkitError(f"max_tokens is {self.max_tokens}. Give a whole number from 1")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise EvalkitError(f"temperature is {self.temperature}. Give a number from 0 to 2")


@dataclass(frozen=True)
class JudgeRequest:
    """One question. `repeat` tells apart several replies to the same question (repeatability, another try)."""

    messages: tuple[Message, ...]
    parameters: Parameters = Parameters()
    repeat: int = 0

    def again(self, repeat: int) -> JudgeRequest:
        """The same question for another reply."""
        return replace(self, repeat=repeat)

    def key(self, model: str, snapshot: str | None) -> str:
        """sha256 over all that decides the reply: model, snapshot, messages, bytes of the images, parameters, repeat."""
        about = {"model": model, "snapshot": snapshot, "repeat": self.repeat, **self.described()}
        return hashlib.sha256(canonical_json(about)).hexdigest()

    def described(self) -> dict[str, Any]:
        """The request as JSON, images by their digests."""
        messages = [{"role": m.role, "content": [_described(part) for part in m.parts]} for m in self.messages]
        return {"messages": messages, "parameters": asdict(self.parameters)}

    def body(self, model: str) -> dict[str, Any]:
        """The body of an OpenAI-compatible chat request; images are data URLs."""
        given = self.parameters
        body: dict[str, Any] = {"model": model, "messages": [_sent(message) for message in self.messages]}
        named = {
            "temperature": given.temperature,
            given.limit_field: given.max_tokens,
            "top_p": given.top_p,
            "seed": given.seed,
        }
        body |= {name: value for name, value in named.items() if value is not None}
        if given.top_logprobs is not None:
            body |= {"logprobs": True, "top_logprobs": given.top_logprobs}
        if given.schema is not None:
            wanted = {"name": "reply", "schema": dict(given.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return body | dict(given.extra)


def question(*parts: Part, system: str | None = None, parameters: Parameters | None = None) -> JudgeRequest:
    """A request of one user turn, after a system text where one is given.

    >>> question("Is this a dog?").messages[0].role
    'user'
    """
    opening = (Message("system", (system,)),) if system is not None else ()
    return JudgeRequest((*opening, Message("user", parts)), parameters or Parameters())


def _described(part: Part) -> dict[str, Any]:
    if isinstance(part, str):
        return {"text": part}
    return {"image": part.sha256, "mime": part.mime, "detail": part.detail}


def _sent(message: Message) -> dict[str, Any]:
    if all(isinstance(part, str) for part in message.parts) and message.role != "user":
        return {"role": message.role, "content": "\n".join(str(part) for part in message.parts)}
    return {"role": message.role, "content": [_sent_part(part) for part in message.parts]}


def _sent_part(part: Part) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    url = f"data:{part.mime};base64,{base64.b64encode(part.data).decode()}"
    return {"type": "image_url", "image_url": {"url": url, **({"detail": part.detail} if part.detail else {})}}
