"""Messages of the images of a shard: read where presence is established, or looked for among candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.watermark.detection.scan import Found, Scanner
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import Several
from evalkit.watermark.methods.payload import PayloadMark, payload_marks
from evalkit.watermark.payload.fields import candidates, read_layout, said
from evalkit.watermark.payload.scramble import Words

LN10 = float(np.log(10.0))


@dataclass(frozen=True)
class Told:
    """Columns of all images of a shard: the message, its probability, and where candidates were given log10 of its p."""

    message: list[str | None]
    message_probability: list[float | None]
    log10_p_message: list[float | None]


def check_among(layout: str | None, among: str | None) -> None:
    """Raise `EvalkitError` where `among` is given and is not about messages of this layout."""
    if among is None:
        return
    if layout is None:
        raise EvalkitError("--among asks which message an image holds, and this mark has none. Leave it out")
    candidates(read_layout(layout), among)


def messages(scanner: Scanner, found: Found, start: int, among: str | None) -> Told | None:
    """What the images from position `start` say; None for marks without messages.

    Without candidates a message is read where the exact p, corrected for lists and views, is at most the scanner's alpha.
    With them it is looked for in every image, for few candidates are told apart where no message could be read.
    """
    marks = payload_marks(scanner.mark)
    if not marks:
        return None
    rows: list[tuple[str | None, float | None, float | None]] = [(None, None, None)] * len(found.read)
    asked = None if among is None else candidates(marks[0].fields, among)
    present = found.log_p <= np.log(scanner.alpha)
    for row, place in enumerate(found.scored.tolist()):
        mark = _of(scanner.mark, int(found.best.list_id[row]))
        view = int(found.best.view[row])
        if isinstance(mark, PayloadMark) and (among is not None or present[row]):
            rows[place] = _read(scanner, mark, start + place, view, scanner.prices[view] * len(marks), asked)
    return Told(*(list(column) for column in zip(*rows, strict=True)))


def message_text(row: Mapping[str, Any]) -> str:
    """What a row's message says, for page and terminal; "" where none was read."""
    if row.get("message") is None:
        return ""
    p = row["log10_p_message"]
    sure = f"probability {row['message_probability']:.4g}" + ("" if p is None else f", log10 p {p:.1f}")
    return f"{row['message']} ({sure})"


def named(samples: pa.Table, alpha: float) -> int:
    """Images whose message is named: over all candidates and images a wrong one appears with chance `alpha` at most."""
    log10_p = samples["log10_p_message"].drop_null().to_numpy()
    return int((log10_p + np.log10(max(samples.num_rows, 1)) <= np.log10(alpha)).sum())


def _read(
    scanner: Scanner, mark: PayloadMark, position: int, view: int, tests: float, among: Words | None
) -> tuple[str | None, float | None, float | None]:
    codes = scanner.codes_of(position, view)
    if codes is None:
        return None, None, None
    message, probability, log_p = mark.read(codes, among)
    log10_p = None if among is None else min((log_p + float(np.log(tests))) / LN10, 0.0)
    return said(mark.fields, message), probability, log10_p


def _of(mark: Mark, list_id: int) -> Mark:
    return mark.of(list_id)[0] if isinstance(mark, Several) else mark
