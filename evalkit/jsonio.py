"""JSON as evalkit writes and reads it: canonical bytes for digests, files for people, one strict reader for all."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from evalkit.errors import BadData
from evalkit.textfiles import decode_text, read_text

_INK = re.compile(r"[^ \t\n\r]")


def canonical_json(value: Any) -> bytes:
    """Sorted keys, no spaces: equal values give equal bytes.

    >>> canonical_json({"b": 1, "a": [2]})
    b'{"a":[2],"b":1}'
    """
    return _encoded(json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False), value)


def pretty_json(value: Any) -> bytes:
    """Indented JSON with sorted keys, for people and machines."""
    return _encoded(json.JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False), value) + b"\n"


def parse_json(data: str | bytes, what: str, *, surrogates: bool = False) -> Any:
    """The value of a JSON text; `what` names its source in errors, such as `prompts.jsonl, line 3`.

    Raises `BadData` for text that is not UTF-8 or not JSON, for NaN and infinities, for lone surrogates (unless
    `surrogates`), and for nesting or numbers beyond what Python reads.
    """
    text = data if isinstance(data, str) else decode_text(data, what)
    try:
        found = json.loads(text, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode(
            "utf-8", "surrogatepass" if surrogates else "strict"
        )
    except UnicodeEncodeError:
        raise BadData(f"{what} holds half of a surrogate pair, which is no character; mend the text") from None
    except RecursionError:
        raise BadData(f"{what} is nested too deeply to be read; flatten it") from None
    except (ValueError, MemoryError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BadData(f"{what} is not JSON: {reason}") from None
    return found


def loose_json(text: str | bytes) -> Any:
    """The value of JSON as Python reads it, NaN and infinities included: what models, workers and caches write.

    Raises `BadData` for anything else.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError, MemoryError) as error:
        raise BadData(f"no JSON: {(str(error).splitlines() or [type(error).__name__])[0][:120]}") from None


def read_json(path: str | Path) -> Any:
    """The value in a JSON file. Raises `BadData` where it cannot be read or is not JSON."""
    return parse_json(read_text(path), str(path))


def json_lines(data: str | bytes, what: str) -> Iterator[tuple[int, Any]]:
    """(line number from 1, value) of each line that is not blank; lines end at a newline only.

    >>> list(json_lines('{"a": 1}\\n\\n[2]', "x"))
    [(1, {'a': 1}), (3, [2])]
    """
    text = data if isinstance(data, str) else decode_text(data, what)
    number, at = 1, 0
    while found := _INK.search(text, at):  # past blank lines, of which a small archive may hold very many
        begin = max(at, text.rfind("\n", at, found.start()) + 1)
        end = text.find("\n", found.start())
        line = text[begin : end if end >= 0 else len(text)].removesuffix("\r")
        number += text.count("\n", at, begin)
        yield number, parse_json(line, f"{what}, line {number}")
        if end < 0:
            return
        number, at = number + 1, end + 1


def read_json_lines(path: str | Path) -> Iterator[tuple[int, Any]]:
    """`json_lines` of a file."""
    return json_lines(read_text(path), str(path))


def finite(value: Any) -> Any:
    """The value as JSON can hold it: NaN and infinities are null, keys are texts, lone surrogates are replaced.

    >>> finite({1: float("nan"), "b": (1, float("inf"))})
    {'1': None, 'b': [1, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {finite(str(key)): finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value if value is None or isinstance(value, bool | int) else finite(str(value))


def _encoded(encoder: json.JSONEncoder, value: Any) -> bytes:
    """UTF-8; bytes of a path that are no character become \\xNN, as in the ids of images."""
    try:
        return encoder.encode(value).encode()
    except UnicodeEncodeError:
        return encoder.encode(_characters(value)).encode()


def _characters(value: Any) -> Any:
    if isinstance(value, str):
        try:
            data = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            data = value.encode("utf-8", "replace")
        return data.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {_characters(key): _characters(each) for key, each in value.items()}
    return [_characters(each) for each in value] if isinstance(value, list | tuple) else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
