"""The command line's output: what foreign names and texts hold cannot act on a terminal, whoever printed it."""

from __future__ import annotations

import re
from typing import Any

_ACTING = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
    r"|\x1b(?!\[[0-9;]*[mKAG]|\[\?25[hl])"  # colours and the progress bar's own sequences pass
)


class Harmless:
    r"""A text stream that writes characters of control and of direction as \xNN or \uNNNN; as in JSON, where they stand.

    Colours pass, so whoever prints a name still calls `evalkit.text.visible`; this is the second fence.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text; the number of characters that were given."""
        self._stream.write(_ACTING.sub(_shown, text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _shown(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
