"""What runners of programs, endpoints and folders share: one request at a time, tried again, never fatal for the others."""

from __future__ import annotations

import base64
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evalkit.errors import BadImage, EvalkitError
from evalkit.generators.base import Conditions, Failed, Generator, Image, Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.sampling import SETTINGS, Sampler
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels

TRIES = 3


class RequestFailed(Exception):
    """One attempt gave no image; `final` where another attempt would be in vain."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class ExternalGenerator(Generator):
    """Images made elsewhere; whether the same request gives the same image is not evalkit's to promise."""

    conditions: Conditions = "any"
    timeout: float = 600.0  # seconds per image
    rows = 1
    deterministic = False
    edits = avoids = True
    default_sampler = Sampler(Guidance("passed"), unset=frozenset(SETTINGS))
    takes = frozenset()
    tries: int = TRIES

    @abstractmethod
    def ask(self, request: Request) -> tuple[bytes, dict[str, Any]]:
        """(an image file's bytes, notes) of one attempt; raises `RequestFailed`."""

    def generate(self, requests: Sequence[Request]) -> Sequence[Image | Failed]:
        """One image, or the reason of the last attempt, for each request."""
        return [self._one(request) for request in requests]

    def _generate(self, requests: Sequence[Request], sampler: Sampler) -> list[Image]:
        raise EvalkitError(f"{self.name} takes requests one by one. Call generate")

    def _one(self, request: Request) -> Image | Failed:
        """The image of a request; of several rounds, each changes the image of the one before."""
        made: list[Image] = []
        for number, text in enumerate((*request.rounds, request.prompt)):
            source = made[-1].pixels if made else request.source_image
            mask = request.mask if number == 0 else None
            found = self._tried(replace(request, prompt=text, source_image=source, mask=mask, rounds=()))
            if isinstance(found, Failed):
                where = f" (round {number + 1} of {len(request.rounds) + 1})" if request.rounds else ""
                return Failed(request.id, f"{found.reason}{where}")
            made.append(found)
        last = made[-1]
        return last if len(made) == 1 else _together(made)

    def _tried(self, request: Request) -> Image | Failed:
        reason = ""
        for attempt in range(1, self.tries + 1):
            started = time.perf_counter()
            try:
                data, notes = self.ask(request)
                pixels = image(data)
            except RequestFailed as error:
                reason = f"{error} (attempt {attempt} of {self.tries})" if self.tries > 1 else str(error)
                if error.final:
                    return Failed(request.id, str(error))
                continue
            evaluations = notes.pop("evaluations", None)
            seconds = time.perf_counter() - started
            counted = isinstance(evaluations, int) and 0 <= evaluations < 2**31
            return Image(request.id, pixels, seconds, int(evaluations) if counted else None, notes)
        return Failed(request.id, reason)


def _together(made: Sequence[Image]) -> Image:
    """The last round's image with the seconds and costs of all."""
    last = made[-1]
    costs = [each.notes["cost"] for each in made if "cost" in each.notes]
    notes = {**last.notes, "rounds": len(made), **({"cost": sum(costs)} if costs else {})}
    return replace(last, seconds=sum(each.seconds for each in made), notes=notes)


def image(data: bytes) -> Pixels:
    """The pixels of an image file; raises `RequestFailed` where it is none."""
    try:
        return decode_image(data)
    except BadImage as error:
        raise RequestFailed(f"what came back is no image: {error}") from None


def request_line(request: Request, sampler: Sampler) -> dict[str, Any]:
    """A request as plain data, as workers get it; `sampler` holds the settings that were given."""
    images = {"source_image": request.source_image, "mask": request.mask}
    return {
        "id": request.id,
        "prompt": request.prompt,
        "class_id": request.class_id,
        "seed": request.seed,
        **({} if request.negative is None else {"negative_prompt": request.negative}),
        **{
            f"{name}_base64": base64.b64encode(png_bytes(pixels)).decode()
            for name, pixels in images.items()
            if pixels is not None
        },
        "sampler": {name: value for name, value in sampler.as_dict().items() if value is not None},
    }
