"""The image in an endpoint's answer: base64 in any wrapping, a `data:` address, or a web address to read it from."""

from __future__ import annotations

import base64
import binascii
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

from evalkit.errors import DAMAGED
from evalkit.images.decode import size_of
from evalkit.remote import SIZE, RemoteError
from evalkit.transport import NoReply, get, redacted


def image_bytes(answer: Mapping[str, Any], asked: str, timeout: float) -> bytes:
    """The image file of data[0], under b64_json or url; `asked` is the endpoint. Raises `RemoteError` where there is none."""
    try:
        first = answer["data"][0]
        inner, address = first.get("b64_json"), first.get("url")
    except DAMAGED:
        inner = address = None
    if isinstance(inner, str) and inner.strip():
        return _from_text(inner)
    if not isinstance(address, str) or not address:
        raise RemoteError("the endpoint's answer holds no image in data[0].b64_json or data[0].url", final=True)
    if address[:5].lower() == "data:":
        return _from_text(address)
    address = urllib.parse.urljoin(asked, address)  # SGLang names a path on itself
    try:
        return get(address, asked=asked, deadline=time.monotonic() + timeout, timeout=timeout, most_bytes=SIZE)
    except NoReply as error:
        raise RemoteError(redacted(f"the image cannot be read: {error}"), final=False) from None


def other_size(data: bytes, asked: str | None) -> str | None:
    """`512x512, where 1024x1024 was asked for`; None where the sizes agree, or none was asked for."""
    size = size_of(data)
    if size is None:
        return None  # decoding says what is wrong with it
    found = f"{size[1]}x{size[0]}"
    wanted = (asked or "").lower()
    return f"{found}, where {wanted} was asked for" if "x" in wanted and found != wanted else None


def _from_text(text: str) -> bytes:
    """Base64 with or without `data:image/png;base64,` before it, in lines, in either alphabet, padded or not."""
    head, comma, rest = text.partition(",")
    if head[:5].lower() == "data:" and comma:
        if not head.lower().endswith(";base64"):
            return urllib.parse.unquote_to_bytes(rest)
        text = rest
    plain = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise RemoteError("the endpoint's image is no base64", final=True) from None
