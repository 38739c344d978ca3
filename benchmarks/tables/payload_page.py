"""The tables of docs/watermark-payload.md on world-ar2, from watermark-unbiased.csv and watermark-payload-made.csv.

python benchmarks/tables/payload_page.py        # puts them into the page; the prose around them is edited by hand
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from watermark_world import OUT, read

PAGE = OUT.parents[1] / "docs" / "watermark-payload.md"
EDITS = {"png": "PNG", "jpeg:75": "JPEG 75", "jpeg:50": "JPEG 50", "resize:0.5": "resize 0.5", "noise:0.02": "noise 0.02",
         "crop:0.9:centre": "crop 10 %", "crop:0.9:centre, scale undone": "crop 10 %, scale undone"}  # fmt: skip
QUALITY = (
    "method | image right | change | FD | excess, bits | found in the codes drawn | found in images | median log10 p"
)
KEPT = "method | unmarked called | JPEG 75 | JPEG 50 | half size | noise 0.02 | blur 1 | crop 10 % | forged"
MADE = (
    "carrier, bits, delta | attack | presence found | coins wrong | bits wrong | messages wrong | planned | "
    "wrong where found"
)
Row = Mapping[str, str]


def main() -> None:
    """Write."""
    drawn = read("watermark-unbiased")
    tables = {
        QUALITY: map(quality, drawn),
        KEPT: map(kept, (row for row in drawn if row["in_codes"])),
        MADE: (made(row) for row in read("watermark-payload-made") if row["attack"] in EDITS),
    }
    page = PAGE.read_text(encoding="utf-8")
    for head, rows in tables.items():
        lines = [f"| {head} |", "|---" * (head.count("|") + 1) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
        text = "\n".join(lines)
        page = re.sub(re.escape(lines[0]) + r"\n(\|.*\n)+", lambda _, text=text: f"{text}\n", page)
    PAGE.write_text(page, encoding="utf-8")


def quality(row: Row) -> Iterator[str]:
    """What a method costs and finds."""
    yield from (row["method"], two(row["image_right"]))
    yield f"{float(row['change_low']):+.2f} to {float(row['change_high']):+.2f}" if row["change_low"] else "—"
    yield from (
        f"{float(row['fd_multiple']):.2f}",
        f"{float(row['excess_bits']):.1f} ± {float(row['excess_error']):.1f}",
    )
    yield two(row["in_codes"])
    found = row["found_at_1e-3"]
    yield f"{two(found)} ({two(row['found_low'])}–{two(row['found_high'])})" if found else "—"
    yield f"{float(row['median_log10_p']):.1f}" if row["median_log10_p"] else "—"


def kept(row: Row) -> Iterator[str]:
    """What edits leave of a method, and forgeries."""
    columns = (
        "unmarked_called",
        "jpeg:75",
        "jpeg:50",
        "resize:0.5",
        "noise:0.02",
        "blur:1",
        "crop:0.9:centre",
        "forged",
    )
    yield from (row["method"], *(two(row[name]) for name in columns))


def made(row: Row) -> Iterator[str]:
    """What is read of a message after an edit."""
    yield from (f"{row['carrier']}, {row['bits']}, {float(row['delta']):g}", EDITS[row["attack"]])
    yield from (two(row["present_at_1e-3"]), f"{float(row['coin_error']):.3f}", f"{float(row['bit_error']):.3f}")
    yield from (two(row["word_error"]), f"{1 - float(row['planned_read']):.2f}", two(row["wrong_of_present"]))


def two(text: str) -> str:
    """Two digits behind the point; a dash for nothing."""
    return f"{float(text):.2f}" if text else "—"


if __name__ == "__main__":
    main()
