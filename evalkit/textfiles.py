"""Text files of other people: UTF-8 with or without a byte order mark, lines that end at a newline only, tables."""

from __future__ import annotations

import codecs
import csv
import io
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.errors import BadData

MAX_BYTES = 2**30  # of a text file that is read whole
_MARKS = (  # the longer marks first: that of UTF-16 begins that of UTF-32
    (codecs.BOM_UTF32_LE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF32_BE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "UTF-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "UTF-16", "utf-16"),
)


def decode_text(data: bytes, what: str, *, other_unicode: bool = False) -> str:
    """The text of a file's bytes without its byte order mark; `what` names the file in errors.

    `other_unicode`: UTF-16 and UTF-32 are read where a byte order mark says so. Raises `BadData` for any other
    encoding, which is named where its mark or its zero bytes show it.
    """
    for mark, name, codec in _MARKS:
        if data.startswith(mark):
            if not other_unicode:
                raise BadData(f"{what} is {name} text; save it as UTF-8")
            try:
                return data.decode(codec)
            except UnicodeDecodeError:
                raise BadData(f"{what} is damaged {name} text; save it as UTF-8") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadData(f"{what} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    if "\0" in text:
        raise BadData(f"{what} holds zero bytes, as UTF-16 text without a mark does; save it as UTF-8")
    return text


def read_text(path: str | Path, *, other_unicode: bool = False) -> str:
    """`decode_text` of a file. Raises `BadData` where it is not a file, too large, or cannot be read."""
    path = Path(path)
    try:
        if not path.is_file():
            raise BadData(f"{path} is {'no file' if path.exists() else 'not there'}; give a text file")
        if path.stat().st_size > MAX_BYTES:
            raise BadData(f"{path} is larger than {MAX_BYTES} bytes; split it")
        return decode_text(path.read_bytes(), str(path), other_unicode=other_unicode)
    except BadData:
        raise
    except (OSError, ValueError) as error:
        raise BadData(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}); give another") from None
    except MemoryError:
        raise BadData(f"{path} does not fit the memory; split it") from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises `BadData` where it cannot be read or is none."""
    try:
        return tomllib.loads(read_text(path))
    except BadData:
        raise
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0][:120]
        raise BadData(f"{path} is no TOML: {reason}. Mend the file") from None


def lines_of(text: str) -> list[str]:
    r"""The lines of a text: they end at \n or \r\n, never at another separator of Unicode.

    >>> lines_of("a\u2028b\r\nc\n")
    ['a\u2028b', 'c']
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines and not lines[-1] else lines


def table_rows(text: str, what: str, delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, cells by header) of a table with a header; cells may hold newlines within quotes.

    Raises `BadData` for rows with more cells than the header, a header that names a column twice, and bad quotes.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip(" \t") for name in next(reader, [])]
        if len(set(header)) < len(header):
            raise BadData(f"{what} names a column twice in its header; columns must differ")
        for cells in reader:
            if len(cells) > len(header):
                raise BadData(
                    f"{what}, line {reader.line_num} has {len(cells)} cells, the header {len(header)}; quote the cell"
                )
            if any(cells):
                yield reader.line_num, dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise BadData(f"{what}, line {reader.line_num} is no row of a table: {error}") from None
