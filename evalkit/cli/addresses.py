"""Addresses on a command line: none holds a secret, and none stands where a path of this machine is meant."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from evalkit.errors import EvalkitError

_SECRET = re.compile(
    r"[a-z][a-z0-9+.-]*://[^/\s?#]*@"  # a user before the host
    r"|(?<![a-z0-9+.-])(?!https?:)[a-z][a-z0-9+.-]*://\S*\?\S*="  # a value behind the place in a store
)
_PLACE = re.compile(r"([a-z][a-z0-9+.-]+):/")  # what a path makes of an address


def with_checked_addresses(callback: Callable[..., Any]) -> Callable[..., Any]:
    """The verb, which begins by `check_addresses` of what it was given, typed or in a file."""

    @functools.wraps(callback)
    def checked(*given: Any, **named: Any) -> Any:
        context = click.get_current_context(silent=True)
        check_addresses({} if context is None else context.params)
        return callback(*given, **named)

    return checked


def check_addresses(params: Mapping[str, Any]) -> None:
    """Raises `EvalkitError`, which quotes no value, for a secret in an address and for an address that is no path.

    >>> check_addresses({"data": "s3://bucket/photos", "out": Path("runs/a"), "prompts": "text:me@home"})
    """
    for name, each in _values(params):
        if isinstance(each, str) and not each.startswith("text:") and _SECRET.search(each):
            raise EvalkitError("an address holds a name, a password or a key. Give credentials in the environment")
        if isinstance(each, Path) and (place := _PLACE.match(str(each))):
            raise EvalkitError(f"{name} takes no address of the kind {place[1]}://. Give a path of this machine")


def _values(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        yield from ((name, each) for each in (value if isinstance(value, tuple) else (value,)))
