"""Templates of suites, such as "{prompt_id:04d}": fields and their parts filled in, without any of Python's powers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from string import Formatter
from typing import Any

from evalkit.errors import EvalkitError

_FIELD = re.compile(r"[^{}.\[\]!:]+(\[\w+\])*")
_WIDTH = re.compile(r"(0?\d{1,3}[ds]?)?")


def fill_in(template: str, fields: Mapping[str, Any]) -> str:
    """The template with its fields.

    Raises `KeyError` for a field that is not there, `EvalkitError` for what is no template and for parts that are missing.

    >>> fill_in("{key[0]}/{number:04d}", {"key": "abc", "number": 7})
    'a/0007'
    """
    _check(template)
    try:
        return template.format_map(fields)
    except (TypeError, ValueError, IndexError) as error:
        raise EvalkitError(f"the data have nothing for {template[:60]!r}: {error}. Give the official files") from None


@lru_cache(maxsize=1024)
def _check(template: str) -> None:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise _wrong(template, str(error)) from None
    for _, name, width, conversion in parts:
        if name is None:
            continue
        if not _FIELD.fullmatch(name) or name[0].isdigit() or conversion or not _WIDTH.fullmatch(width or ""):
            raise _wrong(template, f"{{{name}}} is no field, element of a field, or one with a width")


def _wrong(template: str, said: str) -> EvalkitError:
    return EvalkitError(f"{template[:60]!r} is no template: {said[:120]}. Mend the suite's file")
