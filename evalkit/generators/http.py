"""`http:URL#MODEL`: OpenAI-compatible image endpoints, such as those of vLLM-Omni and SGLang.

Images of a prompt are asked of /images/generations, changes to a source image of /images/edits. The part after # may carry
options: http:https://api.openai.com/v1#gpt-image-1?size=1024x1024&price=0.04. `price` is what one image costs, `in_flight`
how many requests wait at once; the others go to the endpoint. What the endpoint says of its use is kept beside each image,
and so are the requests that it took and a size that is not the one asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from evalkit.generators.base import Conditions, Failed, Image, Request
from evalkit.generators.endpoints import parse_address
from evalkit.generators.external import ExternalGenerator, RequestFailed
from evalkit.generators.http_image import image_bytes, other_size
from evalkit.generators.registry import Entry, Source
from evalkit.generators.sampling import Sampler
from evalkit.images.encode import png_bytes
from evalkit.remote import Answer, RemoteError, endpoint, post_form, post_json


class HttpGenerator(ExternalGenerator):
    """Asks an endpoint for one image a request, `rows` of them at a time."""

    conditions: Conditions = "text"
    tries = 1  # the endpoint is asked again where it is busy, so that an attempt is counted once
    device = "the endpoint's"
    else_give = "Give what the endpoint takes in its address: http:URL#MODEL?guidance_scale=5"

    def __init__(self, name: str, address: str, timeout: float = 300.0) -> None:
        self.address = parse_address(name, address)
        self.name, self.timeout, self.rows = name, timeout, self.address.in_flight
        self.url = endpoint(self.address.url, "/images/generations")
        self.url_of_edits = endpoint(self.address.url, "/images/edits")

    @classmethod
    def load(cls, source: Source) -> HttpGenerator:
        """The runner of the endpoint that the name holds."""
        return cls(source.name, source.config)

    def passed(self, sampler: Sampler) -> dict[str, Any]:
        """The model and the options of the address."""
        return {"model": self.address.model, **self.address.options}

    @property
    def licence(self) -> str | None:
        """Of the model, where it is one of those with a name here."""
        return self.address.served.licence if self.address.served else None

    @property
    def batch(self) -> int:
        """Several rounds of what is in flight, so that one slow answer holds nothing up."""
        return 4 * self.rows

    def generate(self, requests: Sequence[Request]) -> Sequence[Image | Failed]:
        """One image, or the reason of the last attempt, for each request, `rows` of them in flight."""
        with ThreadPoolExecutor(max(1, min(self.rows, len(requests)))) as pool:
            return list(pool.map(self._one, requests))

    def ask(self, request: Request) -> tuple[bytes, dict[str, Any]]:
        """One image; the seed is sent where options hold seed=1, and to servers that are known to take it."""
        body: dict[str, Any] = {"model": self.address.model, "prompt": request.prompt, "n": 1, **self.address.options}
        if request.negative is not None:
            body["negative_prompt"] = request.negative
        if self.address.seeded:
            body["seed"] = request.seed
        try:
            answer = self._answer(request, body)
            data = image_bytes(answer.found, self.url, self.timeout)
        except RemoteError as error:
            raise RequestFailed(str(error), final=error.final) from None
        notes: dict[str, Any] = {} if answer.attempts == 1 else {"attempts": answer.attempts}
        if isinstance(answer.found.get("usage"), dict):
            notes["usage"] = answer.found["usage"]
        size = self.address.options.get("size")
        if said := other_size(data, size if isinstance(size, str) else None):
            notes["size"] = said
        if revised := _revised(answer, request.prompt):
            notes["revised_prompt"] = revised
        return data, {**notes, **({} if self.address.price is None else {"cost": self.address.price})}

    def _answer(self, request: Request, body: dict[str, Any]) -> Answer:
        if request.source_image is None:
            return post_json(self.url, body, timeout=self.timeout)
        files = [("image", "image.png", png_bytes(request.source_image))]
        if request.mask is not None:  # OpenAI and SGLang read `mask`, vLLM-Omni reads `mask_image`
            files += [(name, "mask.png", png_bytes(request.mask)) for name in ("mask", "mask_image")]
        return post_form(self.url_of_edits, body, files, timeout=self.timeout)


def _revised(answer: Answer, prompt: str | None) -> str | None:
    """The prompt that the endpoint made of the one that was given, where it says so and it is another."""
    first = answer.found["data"][0]  # `image_bytes` has read it
    said = first.get("revised_prompt") if isinstance(first, dict) else None
    return said if isinstance(said, str) and said not in ("", prompt) else None


def entry(name: str, address: str) -> Entry:
    """The entry of `http:ADDRESS`."""
    return Entry(name, HttpGenerator, address, None, None)
