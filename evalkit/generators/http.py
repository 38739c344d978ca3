"""`http:URL#MODEL`: OpenAI-compatible image endpoints.

The part after # may carry options: http:https://api.openai.com/v1#gpt-image-1?size=1024x1024&price=0.04. `price` is what
one image costs, `size` goes to the endpoint; what the endpoint says of its use is kept beside each image, and so are
the requests that it took and a size that is not the one asked for.
"""

from __future__ import annotations

import urllib.parse
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.generators.base import Conditions, Request
from evalkit.generators.external import ExternalGenerator, RequestFailed
from evalkit.generators.http_image import image_bytes, other_size
from evalkit.generators.registry import Entry, Source
from evalkit.generators.sampling import Sampler
from evalkit.remote import RemoteError, endpoint, post_json


class HttpGenerator(ExternalGenerator):
    """Asks an endpoint for one image a request."""

    conditions: Conditions = "text"
    tries = 1  # `post_json` asks again where the endpoint is busy, so that an attempt is counted once
    device = "the endpoint's"
    else_give = "Give what the endpoint takes in its address: http:URL#MODEL?guidance_scale=5"

    def __init__(self, name: str, address: str, timeout: float = 300.0) -> None:
        url, _, rest = address.partition("#")
        model, _, options = rest.partition("?")
        if not model:
            raise EvalkitError(
                f"{name!r} names no model; give http:URL#MODEL, such as http:https://HOST/v1#gpt-image-1"
            )
        self.options = dict(urllib.parse.parse_qsl(options))
        try:
            price = self.options.pop("price", None)
            self.price = None if price is None else float(price)
        except ValueError:
            raise EvalkitError(f"{name!r}: price is a number (of what one image costs)") from None
        self.name, self.model, self.timeout = name, model, timeout
        self.url = endpoint(url, "/images/generations")

    @classmethod
    def load(cls, source: Source) -> HttpGenerator:
        """The runner of the endpoint that the name holds."""
        return cls(source.name, source.config)

    def passed(self, sampler: Sampler) -> dict[str, Any]:
        """The options of the address."""
        return dict(self.options)

    def ask(self, request: Request) -> tuple[bytes, dict[str, Any]]:
        """One image; the seed is sent where options hold seed=1, as most endpoints refuse it."""
        body: dict[str, Any] = {"model": self.model, "prompt": request.prompt, "n": 1, **self.options}
        if body.pop("seed", None):
            body["seed"] = request.seed
        try:
            answer = post_json(self.url, body, timeout=self.timeout)
            data = image_bytes(answer.found, self.url, self.timeout)
        except RemoteError as error:
            raise RequestFailed(str(error), final=error.final) from None
        notes: dict[str, Any] = {} if answer.attempts == 1 else {"attempts": answer.attempts}
        if isinstance(answer.found.get("usage"), dict):
            notes["usage"] = answer.found["usage"]
        if said := other_size(data, self.options.get("size")):
            notes["size"] = said
        return data, {**notes, **({} if self.price is None else {"cost": self.price})}


def entry(name: str, address: str) -> Entry:
    """The entry of `http:ADDRESS`."""
    return Entry(name, HttpGenerator, address, None, None)
