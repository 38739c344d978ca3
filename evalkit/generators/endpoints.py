"""Addresses of image endpoints: http:URL#MODEL?option=value, where MODEL may be the name of a model that we know."""

from __future__ import annotations

import tomllib
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files as package_files
from typing import Any

from evalkit.errors import EvalkitError

IN_FLIGHT = 4  # requests that wait for the endpoint together


@dataclass(frozen=True)
class Served:
    """A model that servers answer for: its repository, licence, the authors' settings, and where those were read."""

    repo: str
    licence: str
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    edits: bool = False
    non_commercial: bool = False


@dataclass(frozen=True)
class Address:
    """Where images are asked for: `url` up to the version, `model`, and `options` of every request.

    `price` of one image; `in_flight` requests at once; `seeded`: seeds are sent; `served`: what is known of the model.
    """

    url: str
    model: str
    options: Mapping[str, Any]
    price: float | None
    in_flight: int
    seeded: bool
    served: Served | None


@cache
def served_models() -> dict[str, Served]:
    """All models that have a name of their own here."""
    text = package_files("evalkit.generators").joinpath("endpoints.toml").read_text(encoding="utf-8")
    return {name: Served(**said) for name, said in tomllib.loads(text).items()}


def parse_address(name: str, address: str) -> Address:
    """The parts of `address`; raises `EvalkitError` where it names no model, or an option of ours is wrong.

    >>> parse_address("x", "http://localhost:8000/v1#qwen-image?size=512x512").options["size"]
    '512x512'
    """
    url, _, rest = address.partition("#")
    model, _, options = rest.partition("?")
    if not model:
        raise EvalkitError(f"{name!r} names no model; give http:URL#MODEL, such as http:https://HOST/v1#gpt-image-1")
    served = served_models().get(model)
    given = {key: _value(key, text) for key, text in urllib.parse.parse_qsl(options, keep_blank_values=True)}
    said = {**(served.options if served else {}), **given}
    price, flight = said.pop("price", None), said.pop("in_flight", IN_FLIGHT)
    seeded = bool(said.pop("seed", served is not None))  # the servers of these models take seeds
    if price is not None and not isinstance(price, int | float):
        raise EvalkitError(f"{name!r}: price is a number (of what one image costs)")
    if not isinstance(flight, int) or not 1 <= flight <= 256:
        raise EvalkitError(f"{name!r}: in_flight is a number of requests, 1 to 256")
    return Address(url, served.repo if served else model, said, price, flight, seeded, served)


def _value(key: str, text: str) -> Any:
    """Numbers as numbers, true and false as such; sizes, models and prompts stay texts."""
    if key in ("negative_prompt", "size", "response_format", "user"):
        return text
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
