"""Names in exported tables act neither in a spreadsheet nor on a terminal."""

import csv
import io

import pyarrow as pa
import pytest

from evalkit.text import csv_cell
from evalkit.watermark.detection.rows import csv_pieces
from evalkit.watermark.robustness.summary import csv_text

NAMES = [
    "plain",
    "=1+1",
    "\x1b[31mred",
    "\u202egnp",
    "a\rb",
    "-inf",
    "é\u0301",
    "a\u2028b",
    "a\nb",
    "\t=1",
    None,
    "\x9b2J",
]


@pytest.mark.parametrize("exported", ["detection", "robustness"])
def test_no_export_holds_a_character_that_acts(exported):
    if exported == "detection":
        text = b"".join(csv_pieces([pa.table({"id": pa.array(NAMES)}), pa.table({"id": pa.array(NAMES)})])).decode()
    else:
        text = csv_text([{"id": name} for name in NAMES * 2])
    cells = [row[0] if row else "" for row in csv.reader(io.StringIO(text, newline=""))]
    assert cells == ["id", *(csv_cell(name) or "" for name in NAMES * 2)]
    assert not set(text) & set("\x1b\u202e\r\u2028\x9b")
    assert all(cell == "-inf" or not cell.startswith(("=", "+", "-", "@", "\t")) for cell in cells)
