"""Objects that a caller gives instead of names: a spec refers to them, and only this process can open them."""

from __future__ import annotations

import itertools
import uuid
from typing import Any
from weakref import WeakValueDictionary

from evalkit.errors import EvalkitError

PREFIX = "live:"
_PROCESS = uuid.uuid4().hex[:8]  # so that no process takes another's reference for one of its own
_HELD: WeakValueDictionary[str, Any] = WeakValueDictionary()
_NUMBERS = itertools.count(1)


def hold(thing: object) -> str:
    """A reference to `thing` for a spec; it lives as long as the caller keeps `thing`."""
    name = f"{PREFIX}{_PROCESS}-{next(_NUMBERS)}"
    _HELD[name] = thing
    return name


def is_live(source: object) -> bool:
    """Whether a spec's source is such a reference.

    >>> is_live("live:3"), is_live("model.safetensors"), is_live(None)
    (True, False, False)
    """
    return isinstance(source, str) and source.startswith(PREFIX)


def find(source: object) -> Any | None:
    """The object behind a reference where it is at hand, else None: a spec may name one to save its loading twice."""
    return _HELD.get(source) if isinstance(source, str) else None


def held(source: str) -> Any:
    """The object behind a reference; raises `EvalkitError` in another process, or after the caller dropped it."""
    try:
        return _HELD[source]
    except KeyError:
        raise EvalkitError(
            "this run was given an object of another process, which cannot be sent. Give models and data by name"
        ) from None
