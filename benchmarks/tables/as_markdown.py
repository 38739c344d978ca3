"""A Markdown table of some columns of a CSV file, as the pages of docs show them.

    python benchmarks/tables/as_markdown.py watermark-unbiased.csv method "found=found_at_1e-3,found_low,found_high"

A column is NAME, TITLE=NAME, or TITLE=NAME,LOW,HIGH with its interval; numbers are told to --digits behind the point.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path

OUT = Path(__file__).parent


def number(text: str, digits: int) -> str:
    """A number with so many digits behind the point, anything else as it is, a dash for nothing."""
    try:
        return f"{float(text):.{digits}f}" if "." in text or "e" in text else text or "—"
    except ValueError:
        return text


def cell(row: Mapping[str, str], names: list[str], digits: int) -> str:
    """A value, with its interval where two more names are given."""
    value, *bounds = (number(row[name], digits) for name in names)
    return value if not bounds or value == "—" else f"{value} ({'–'.join(bounds)})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("columns", nargs="+")
    parser.add_argument("--where", action="append", default=[], metavar="NAME=VALUE", help="rows with this value alone")
    parser.add_argument("--digits", type=int, default=2)
    asked = parser.parse_args()
    with (OUT / asked.file).open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if all(f"{k}={row[k]}" in asked.where for k in kept(asked.where))]
    titles = [column.split("=")[0] for column in asked.columns]
    print("| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
    for row in rows:
        names = [column.rpartition("=")[2].split(",") for column in asked.columns]
        print("| " + " | ".join(cell(row, each, asked.digits) for each in names) + " |")


def kept(where: list[str]) -> set[str]:
    """The columns that decide which rows are shown."""
    return {each.partition("=")[0] for each in where}


if __name__ == "__main__":
    main()
