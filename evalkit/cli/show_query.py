"""Answers of `evalkit query` as a table, as JSON and as CSV; the last two are written while they are read."""

from __future__ import annotations

import csv
import datetime
import decimal
import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import click
import pyarrow as pa
from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from evalkit.cli.screen import Screen
from evalkit.runs.query import TABLES, Answer, RunTables
from evalkit.text import csv_cell, visible

MOST_ROWS = 50
MOST_WIDE = 48  # characters of a cell
HELD = {"runs": "a row per run", "samples": "a row per image and protocol", "results": "a row per number"}


def show_rows(answer: Answer) -> None:
    """The first rows, in as many columns as the terminal is wide; what is not shown is said."""
    console = Screen()
    first = list(islice(answer.rows(), MOST_ROWS + 1))
    rows, more = first[:MOST_ROWS], len(first) > MOST_ROWS
    cells = [[_cell(value) for value in row] for row in rows]
    names = [visible(name, MOST_WIDE) for name in answer.columns]
    widths = [max(map(cell_len, [name, *(row[k] for row in cells)])) for k, name in enumerate(names)]
    fit = _fitting(widths, console.width) if console.is_terminal else len(names)
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for k in range(fit):
        numbers = all(isinstance(row[k], int | float | decimal.Decimal | None) for row in rows)
        table.add_column(Text(names[k]), no_wrap=True, justify="right" if rows and numbers else "left")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row[:fit]))
    if not console.is_terminal:
        console = Screen(width=sum(widths) + 3 * len(widths))  # whole rows, for grep and less
    console.print(table)
    if not rows:
        click.echo("no rows", err=True)
    if more:
        click.echo(f"the first {MOST_ROWS} rows; all of them with --csv or --json", err=True)
    if fit < len(names):
        rest = ", ".join(names[fit : fit + 6]) + (", …" if len(names) > fit + 6 else "")
        click.echo(f"{len(names) - fit} columns do not fit: {rest}; select fewer, or give --csv or --json", err=True)


def show_json(answer: Answer) -> None:
    """A list of objects, one a row; infinity is a string, as in results.json, and what is no number is null."""
    names = _once(answer.columns)
    out, between = sys.stdout, "\n"
    out.write("[")
    for row in _plain_rows(answer):
        out.write(between + json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=sys.stdout.isatty()))
        between = ",\n"
    out.write("\n]\n")


def show_csv(answer: Answer) -> None:
    """A header and the rows; null is empty, lists and structures are JSON, and no text acts (`csv_cell`)."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in _once(answer.columns)])
    for row in _plain_rows(answer):
        writer.writerow([csv_cell(_flat(value)) for value in row])


def show_tables(tables: RunTables, *, as_json: bool) -> None:
    """What can be asked: tables, columns and types."""
    columns = {name: tables.columns(name) for name in TABLES}
    if as_json:
        click.echo(json.dumps(columns, indent=1, ensure_ascii=False))
        return
    console = Screen()
    for name, held in columns.items():
        console.print(Text(f"{name}: {HELD[name]}", style="bold"))
        console.print(Text(", ".join(f"{visible(column)} ({kind.lower()})" for column, kind in held.items()) + "\n"))
    click.echo('ask: evalkit query "select model, metric, value from results"')


def _plain_rows(answer: Answer) -> Iterator[tuple[Any, ...]]:
    """Rows of values that JSON has; most columns are texts and finite numbers, and pass as they are."""
    for batch in answer.batches:
        columns = []
        for column in batch.columns:
            values = column.to_pylist()
            if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
                values = [_plain(value) for value in values]
            columns.append(values)
        yield from zip(*columns, strict=True)


def _fitting(widths: Sequence[int], room: int) -> int:
    """How many columns from the first on fit, one at least."""
    taken = count = 0
    for width in widths:
        taken += width + 3
        if taken > room and count:
            break
        count += 1
    return count


def _cell(value: Any) -> str:
    value = _plain(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else visible(_flat(value), MOST_WIDE)


def _flat(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | bool) else value


def _plain(value: Any) -> Any:
    """A value that JSON has."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int) else str(value)


def _once(names: Sequence[str]) -> list[str]:
    """The names, a repeated one with a number, so that an object loses none."""
    seen: dict[str, None] = {}
    for name in names:
        free, number = name, 2
        while free in seen:
            free, number = f"{name}_{number}", number + 1
        seen[free] = None
    return list(seen)
