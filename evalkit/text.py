"""Text made safe for terminals and pages; numbers, intervals, dates and counts as a reader wants them."""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

MOST = 1200  # characters shown of a text
JOINERS = "\u200c\u200d"  # they shape letters and emoji, and hide nothing
MARKS = "\u061c\u200e\u200f"  # direction marks whose bidi class is that of a letter
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would take for one at the start of a text
MONTHS = (  # not strftime: the page must not change with the locale
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def visible(text: object, most: int = MOST) -> str:
    r"""Characters that act instead of showing (controls, direction, surrogates) as \xNN or \uNNNN, to be seen.

    >>> visible("a\x1b[31m\u202eb")
    'a\\x1b[31m\\u202eb'
    """
    shown = cut(str(text), most)
    if shown.isascii() and shown.isprintable():  # most names, and many on a leaderboard
        return shown
    return "".join(_code(c) if _acts(c) else c for c in shown)


def cut(text: str, most: int = MOST) -> str:
    """The text, or its first `most` characters and an ellipsis."""
    return text if len(text) <= most else text[:most] + "…"


def csv_cell(value: Any) -> Any:
    r"""A cell of any table that is exported: no spreadsheet takes it for a formula, and no terminal obeys it.

    Texts that begin as formulas get an apostrophe (OWASP, CSV injection); characters that act are shown as in `visible`,
    but for newlines and tabs, which a cell may hold.

    >>> csv_cell("=HYPERLINK(1)"), csv_cell("-inf"), csv_cell(-1.5), csv_cell("a\x1b[31m\nb")
    ("'=HYPERLINK(1)", '-inf', -1.5, 'a\\x1b[31m\nb')
    """
    if not isinstance(value, str):
        return value
    guarded = value.startswith(FORMULA) and value != "-inf"
    if not value.isprintable():
        value = "".join(_code(c) if c not in "\n\t" and _acts(c) else c for c in value)
    return f"'{value}" if guarded else value


def shortened(text: str, most: int) -> str:
    """A name that fits a figure: visible characters, the middle left out where it is long.

    >>> shortened("open-magvit2-128-16384", 15)
    'open-ma…8-16384'
    """
    text = visible(text)
    half = (most - 1) // 2
    return text if len(text) <= most else text[: most - 1 - half] + "…" + text[-half:]


def as_float(value: Any) -> float | None:
    """A stored number as a float: results.json writes infinities as "inf" and "-inf"; anything else is None."""
    if isinstance(value, str):
        return {"inf": float("inf"), "-inf": float("-inf")}.get(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        return float(value)
    return None


def number_text(value: Any) -> str:
    """A number with three to four significant digits; an em dash where there is none.

    >>> [number_text(v) for v in (24.518, 0.0312, 0, 12345.6, "inf", None, -0.5)]
    ['24.52', '0.0312', '0', '12,346', '∞', '—', '−0.5000']
    """
    number = as_float(value)
    if number is None:
        return "—"
    size = abs(number)
    if size == float("inf"):
        return "∞" if number > 0 else "−∞"
    if size == 0:
        return "0"
    if size < 1e-4 or size >= 1e7:
        text = f"{number:.2e}"
    else:
        text = f"{number:,.{0 if size >= 1000 else 2 if size >= 10 else 3 if size >= 1 else 4}f}"
    return text.replace("-", "−")


def interval_text(low: Any, high: Any) -> str:
    """An interval in words, or nothing where there is none.

    >>> interval_text(22.9, 26.1)
    '22.90 to 26.10'
    """
    a, b = as_float(low), as_float(high)
    return "" if a is None or b is None else f"{number_text(a)} to {number_text(b)}"


def with_unit(text: str, unit: str) -> str:
    """A number's text with its unit behind a narrow space that does not break."""
    return f"{text}\u202f{unit}" if unit and text != "—" else text


def day_text(record: Mapping[str, Any]) -> str:
    """The day that a record was made, or nothing where it does not say.

    >>> day_text({"created": "2026-11-23T18:56:09Z"})
    '23 November 2026'
    """
    try:
        day = datetime.date.fromisoformat(str(record.get("created"))[:10])
    except ValueError:
        return ""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def counted(n: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "image"), counted(1200, "image")
    ('1 image', '1,200 images')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _code(c: str) -> str:
    point = ord(c)
    return f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _acts(c: str) -> bool:
    if c in JOINERS:
        return False
    kind = unicodedata.category(c)
    if kind == "Cf":  # number signs of Arabic are of this category too, but are drawn
        return c in MARKS or unicodedata.bidirectional(c) not in ("AN", "AL", "L", "R")
    return kind in ("Cc", "Cs", "Zl", "Zp")


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names in a sentence.

    >>> listed(["a", "b", "c"]), listed(list("abcdef"), 2)
    ('a, b and c', 'a, b and 4 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
