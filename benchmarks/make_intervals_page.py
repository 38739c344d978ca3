# ruff: noqa: E501 (rows of tables)
"""Write docs/intervals.md from benchmarks/tables/coverage.csv; a test keeps the page equal to what this makes.

python benchmarks/make_intervals_page.py
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE, TABLE = ROOT / "docs" / "intervals.md", ROOT / "benchmarks" / "tables" / "coverage.csv"
LOW, HIGH = 0.93, 0.97
SIZES = ("8", "20", "50", "200", "1000")
Row = dict[str, str]
START = """# Intervals

Every interval of evalkit is a 95 % interval of sampling, made by `evalkit.stats`, and `ci_method` in results.json says how.
This page is made from `benchmarks/tables/coverage.csv` by `benchmarks/make_intervals_page.py`.

## How an interval is chosen

One function chooses (`evalkit/stats/choice.py`), from what the data show. Nothing is drawn at random, so that the same rows
give the same interval on any machine, in milliseconds for 50,000 samples.

| what | interval | `ci_method` says |
|---|---|---|
| a share of verdicts (0 or 1) | Wilson's score interval | `Wilson score interval over …` |
| the same, with fewer than 10 events or fewer than 10 exceptions | Clopper and Pearson's exact interval | `exact interval …, conservative` |
| four images of a prompt | the same at the size that independent images would need, with Student's quantile | `… in N clusters, worth M independent ones` |
| a mean with hardly any skewness | Student's t | `Student's t over …` |
| a mean with some (skewness over √n below 0.2) | Student's t, corrected for skewness (Hall 1992) | `…, corrected for skewness` |
| a mean with much | weights as of the Bayesian bootstrap, and one more sample beyond each extreme | `conservative, since … few for this skewness` |
| fewer than five samples differ from the rest, range known | the same, with the further sample at the bounds (Gaffke); for equal values the rule of three | `conservative, since only 2 of 50 …` |
| the same, range unknown | none | `no interval: n is too small for this distribution` |
| a corpus rate (CER, WER) | as a mean, over samples of different weight | as above |
| a pooled PSNR | that of the mean error, carried through the logarithm | `…, carried through …` |
| paired verdicts | Tango's score interval; it holds no difference exactly where McNemar's exact test does not reject | `Tango's score interval …` |
| paired means of up to 12 samples or prompts | all differences that the exact sign-flip test does not reject | `differences that all … sign flips do not reject` |
| means or shares of two sets | both intervals combined (MOVER; for shares Newcombe's) | `MOVER of 2 independent parts` |

The p-value beside a difference always belongs to its interval: the interval holds 0 exactly where p is 0.05 or more. A
conservative interval says so in its method, and errs to the wide side. No interval has a width of zero.

An image that comes back exactly has an infinite PSNR. The mean is then that of the other images, `n` counts all of them,
and the rows `images_exact` and `psnr_pooled` stand beside it. Histograms and medians say the same.

`evalkit verify` works intervals out again. A run that an earlier evalkit sealed names another method: its values are
checked, and the report says which method its bounds are by.

## Do they hold what they promise?

`python benchmarks/tables/coverage.py` repeats made-up experiments and counts how often the interval holds the known truth.
Each cell is the coverage in percent over {replications} experiments (standard error {error} points), and in brackets the
median width over that of somebody who knows the true spread.

{marks}

"""
MARKS = {
    "c": "conservative, and says so: 95 % or more are covered, with more width than needed",
    "d": "declines: no interval in more than half of the experiments; the coverage is that of the few that are stated, "
    "which had more rare events than most",
    "m": "covers more than 97 %, because a part of the intervals is conservative and says so",
    "s": "eight samples: they do not show how skewed their law is, and exact tests of so few err to the wide side",
    "n": "beside 93 to 97 % by less than two standard errors of this experiment",
    "x": "beside 93 to 97 % and explained by none of these",
}


def page() -> str:
    """The whole page."""
    with TABLE.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    means = [row for row in rows if row["what"] == "mean"]
    told = "\n".join(f"- **{mark}**: {said}." for mark, said in MARKS.items())
    head = START.format(
        replications=means[0]["replications"],
        error=f"{100 * max(float(row['error']) for row in means if row['law'] == 'normal'):.1f}",
        marks=f"Cells outside 93 to 97 % are marked:\n\n{told}",
    )
    own = ("mean", "corpus rate", "pooled PSNR", "paired difference", "independent difference")
    parts = [_cells(what, [row for row in rows if row["what"] == what]) for what in own]
    return head + "\n".join([*parts, _plain(rows), _ranks(rows), _power(rows), _distances(rows)])


def _cells(what: str, rows: Sequence[Row]) -> str:
    titles = {"mean": "Means and shares", "corpus rate": "Corpus rates", "pooled PSNR": "Pooled PSNR"}
    lines = [f"### {titles.get(what, what.capitalize() + 's')}\n", f"| values | n = {' | '.join(SIZES)} |", _rule(6)]
    mine = [row for row in rows if "plain" not in row["method"] and "as if" not in row["method"]]
    for law, method in dict.fromkeys((row["law"], row["method"]) for row in mine):
        cells = {row["n"]: _cell(row) for row in mine if (row["law"], row["method"]) == (law, method)}
        name = f"{law}, range declared" if "range" in method else law
        lines.append(f"| {name} | {' | '.join(cells[n] for n in SIZES)} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row) -> str:
    """Coverage, mark and width."""
    if float(row["stated"]) == 0:
        return "none **d**"
    mark = mark_of(row)
    stated = "" if float(row["stated"]) == 1 else f", {100 * float(row['stated']):.0f} % stated"
    bold = f" **{mark}**" if mark else ""
    return f"{100 * float(row['coverage']):.1f}{bold} ({float(row['width']):.2f}{stated})"


def mark_of(row: Row) -> str:
    """Why a cell lies outside 93 to 97 %; empty where it does not."""
    covered, careful = float(row["coverage"] or "nan"), float(row["conservative"])
    if float(row["stated"]) < 0.5:
        return "d"
    if LOW <= covered <= HIGH:
        return ""
    if covered > HIGH and careful > 0:
        return "c" if careful >= 0.5 else "m"
    if row["n"] == "8":
        return "s"
    near = LOW - 2 * float(row["error"]) <= covered <= HIGH + 2 * float(row["error"])
    return "n" if near else "x"


def _plain(rows: Sequence[Row]) -> str:
    lines = [
        "### For comparison\n",
        "Plain Student's t of the same values, which most scripts state, and images of a prompt taken as independent.\n",
        f"| values | n = {' | '.join(SIZES)} |",
        _rule(6),
    ]
    mine = [row for row in rows if row["what"] == "mean" and ("plain" in row["method"] or "as if" in row["method"])]
    for law in dict.fromkeys(row["law"] for row in mine):
        cells = {row["n"]: f"{100 * float(row['coverage']):.1f}" for row in mine if row["law"] == law}
        lines.append(f"| {law} | {' | '.join(cells[n] for n in SIZES)} |")
    return "\n".join(lines) + "\n"


def _ranks(rows: Sequence[Row]) -> str:
    lines = [
        "### Ranks\n",
        "Boards of eight systems on 400 shared samples: how often all rank intervals hold the true ranks at once.\n",
        "| board | all at once | intervals that hold for one system at a time |",
        _rule(3),
    ]
    mine = [row for row in rows if row["what"] == "ranks, joint"]
    for law in dict.fromkeys(row["law"] for row in mine):
        cells = {row["method"]: f"{100 * float(row['coverage']):.1f} %" for row in mine if row["law"] == law}
        lines.append(f"| {law} | {cells['simultaneous']} | {cells.get('marginal', '')} |")
    return "\n".join(lines) + "\n"


def _power(rows: Sequence[Row]) -> str:
    lines = [
        "### Plans\n",
        "`evalkit power` promises the power of the test that will be run; these are as many tests of planned samples.\n",
        "| comparison | samples or prompts | promised | found |",
        _rule(4),
    ]
    for row in (row for row in rows if row["what"] == "power"):
        found = f"{float(row['coverage']):.3f} ± {float(row['error']):.3f}"
        lines.append(f"| {row['law']} | {int(row['n']):,} | {float(row['promised']):.3f} | {found} |")
    return "\n".join(lines) + "\n"


def _distances(rows: Sequence[Row]) -> str:
    lines = ["### Fréchet distances\n", "| features | images | interval | covered |", _rule(4)]
    for row in (row for row in rows if row["what"] == "Fréchet distance"):
        lines.append(f"| {row['law']} | {row['n']} | {row['method']} | {100 * float(row['coverage']):.1f} % |")
    return "\n".join(lines) + "\n"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
