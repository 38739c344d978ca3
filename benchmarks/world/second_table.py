"""The tables of docs/world.md on how good world-ar2 is, from its CSV files; what reaches its floor is in bold.

    python benchmarks/world/second_table.py [--write]

reads results/world-2-floors.csv and world-2-curve.csv (second_measure.py, second_curve.py), prints three tables and the
floors that are missed, and with --write puts the tables into the page.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "world.md"
FLOORS = {
    "single_object": 0.95, "two_object": 0.80, "counting": 0.70, "colors": 0.90, "position": 0.80, "color_attr": 0.60,
    "mixed_counts": 0.30, "three_objects": 0.30,
}  # fmt: skip
BINDING_LOW = 0.50  # of the interval of color_attr
NAMES = {"color_attr": "color attr (binding)", "color_natural": "coloured and natural"}
LAST = ("color_natural", "negation", "size", "style", "all")
HEADS = (
    "| task | `world-ar2` | floor | after `world-vq2` | oracle renderer |",
    "| what | `world-ar2` | floor |",
    "| training images | step | image right, 240 captions |",
)
Row = Mapping[str, str]
Found = Mapping[tuple[str, str], Row]


def main() -> None:
    """Print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    found = {(row["what"], row["task"]): row for row in rows_of("world-2-floors.csv")}
    tables = [list(tasks_of(found)), list(figures_of(found)), list(curve_of())]
    page = PAGE.read_text(encoding="utf-8")
    for head, lines in zip(HEADS, tables, strict=True):
        text = "\n".join([head, re.sub(r"[^|]+", "---", head), *lines])
        print(text, end="\n\n")
        page = re.sub(re.escape(head) + r"\n(\|.*\n)+", lambda _, text=text: f"{text}\n", page)
    missed = [named(task) for task in FLOORS if not reached(found["right, generator", task])]
    print(f"floors missed: {len(missed)}: {', '.join(missed)}")
    if given.write:
        PAGE.write_text(page, encoding="utf-8")


def rows_of(name: str) -> list[Row]:
    """Of a CSV among the results."""
    with (RESULTS / name).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def reached(row: Row) -> bool:
    """Whether a task's floor is."""
    floor = FLOORS.get(row["task"], 2.0)
    return float(row["value"]) >= floor and (row["task"] != "color_attr" or float(row["low"]) >= BINDING_LOW)


def tasks_of(found: Found) -> Iterator[str]:
    """Lines of the tasks."""
    for task in (*FLOORS, *LAST):
        row = found["right, generator", task]
        known = (f"{float(found[f'right, {what}', task]['value']):.2f}" for what in ("reconstructions", "oracle"))
        floor = f"{FLOORS[task]:.2f}" if task in FLOORS else "—"
        yield f"| {' | '.join([named(task), spanned(row, 2, reached(row)), floor, *known])} |"


def figures_of(found: Found) -> Iterator[str]:
    """Lines of all else."""

    def value(what: str, task: str = "all", digits: int = 2) -> str:
        return f"{float(found[what, task]['value']):.{digits}f}"

    def bold(what: str, task: str, least: float, said: str) -> str:
        return re.sub(r"^([\d.]+)", r"**\1**", said) if float(found[what, task]["value"]) >= least else said

    places, seeds, bits = (
        "places, share of the oracle's",
        "distinct images of 32 seeds",
        "bits of an image given its caption",
    )
    seconds = value("processor seconds of 500 images", digits=0)
    shuffled = spanned(found["right, generator, captions shuffled", "all"], 3, False)
    varies = f"{value('places, total variation', 'single_object')}; {value('colours, total variation', 'colors')}"
    copies = f"{value('authenticity of images', digits=3)}; {value('authenticity of oracle renders')}"
    distance = f"{value('fd to oracle renders', digits=0)}; {value('fd of other oracle renders', digits=0)}"
    cells = bold(places, "single_object", 0.6, value(places, "single_object"))
    yield f"| cells that single objects stand in, of the oracle's | {cells} | 0.60 |"
    different = f"{float(found[seeds, 'single_object']['value']):g}"
    yield f"| different images of 32 seeds | {bold(seeds, 'single_object', 24, different)} | 24 |"
    yield f"| bits of an image given its caption | {bold(bits, 'all', 60, spanned(found[bits, 'all'], 0, False))} | 60 |"
    yield f"| right with captions shuffled | {shuffled} | near chance |"
    yield f"| total variation of places; of colours | {varies} | — |"
    yield f"| images that are no near copy; fresh renders alike | {copies} | — |"
    yield f"| Fréchet distance to oracle renders; that of other oracle renders | {distance} | — |"
    said = f"**{seconds} s**" if float(seconds) <= 90 else f"{seconds} s"
    yield f"| 500 images | {said} of processor time | 90 s on two cores |"


def curve_of() -> Iterator[str]:
    """Lines of the states, by step."""
    for row in rows_of("world-2-curve.csv"):
        ended = ", rate fallen to 0" if row["step"] == row["of"] else ""
        images = round(int(row["images"]), -3)
        yield f"| {images:,} | {int(row['step']):,}{ended} | {spanned({**row, 'value': row['right']}, 2, False)} |"


def named(task: str) -> str:
    """As the page says it."""
    return NAMES.get(task, task.replace("_", " "))


def spanned(row: Row, digits: int, bold: bool) -> str:
    """A value with its interval."""
    value, low, high = (f"{float(row[name]):.{digits}f}" for name in ("value", "low", "high"))
    return f"{f'**{value}**' if bold else value} ({low}–{high})"


if __name__ == "__main__":
    main()
