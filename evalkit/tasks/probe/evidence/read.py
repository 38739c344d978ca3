"""Reading evidence: one boundary, behind which a file is right, or one sentence names the line that is not."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.runs.plain import open_plain
from evalkit.tasks.probe.evidence.join import joined, merge_facts
from evalkit.tasks.probe.evidence.lines import full_line, short_line
from evalkit.tasks.probe.evidence.record import Evidence, ImageEvidence
from evalkit.tasks.probe.evidence.sections import BadLine

LONGEST = 64_000_000  # bytes of a line


def read_evidence(*paths: Path) -> Evidence:
    """The evidence in one or several files; lines of the same image are put together, those of later files added.

    Raises `EvalkitError` in one sentence with the file and the line for whatever is not of the schema
    (`evalkit.tasks.probe.evidence`), and for a section that is given twice.
    """
    images: dict[str, ImageEvidence] = {}
    facts: dict[str, Any] = {}
    for path in paths:
        samples: Counter[str] = Counter()
        for number, row in _objects(path):
            try:
                _take(row, number, images, facts, samples)
            except (BadLine, *DAMAGED) as error:
                _stop(path, number, str(error))
    if not images:
        raise EvalkitError(
            f"{paths[0] if paths else 'nothing'} holds no evidence. Give a file with a line for each image"
        )
    return Evidence(tuple(images.values()), facts)


def _take(
    row: dict[str, Any], number: int, images: dict[str, ImageEvidence], facts: dict[str, Any], samples: Counter[str]
) -> None:
    if "evidence" in row:
        merge_facts(facts, row)
        return
    found = short_line(row, number, samples) if "m" in row else full_line(row)
    known = images.get(found.image)
    images[found.image] = found if known is None else joined(known, found)


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    try:
        with _opened(path) as stream:
            while line := stream.readline(LONGEST + 1):
                number += 1
                if len(line) > LONGEST:
                    raise ValueError(f"it is longer than {LONGEST:,} bytes")
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if line.strip():
                    yield number, _object(line)
    except OSError as error:
        if number == 0 and not isinstance(error, gzip.BadGzipFile):
            raise EvalkitError(f"{path} cannot be read: {error.strerror or error}. Give a file of evidence") from None
        _stop(path, number + 1, str(error))
    except (ValueError, RecursionError, EOFError, zlib.error) as error:
        _stop(path, max(number, 1), "it is nested too deeply" if isinstance(error, RecursionError) else str(error))


def _opened(path: Path) -> BinaryIO:
    with open_plain(path) as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg})") from None
    if not isinstance(row, dict):
        raise ValueError("it is no JSON object")
    return row


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no number of JSON")


def _stop(path: Path, number: int, said: str) -> NoReturn:
    reason = (said.strip().splitlines() or ["it is not of the schema"])[0][:200]
    raise EvalkitError(
        f"{path.name}, line {number}: {reason}. Write it in the form that evalkit.tasks.probe.evidence describes"
    ) from None
