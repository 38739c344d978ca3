"""Do 95 % intervals hold the truth in 95 of 100 experiments? Means, rates, differences, distances, ranks, and plans.

python benchmarks/tables/coverage.py [SHARE]   (writes coverage.csv beside it; SHARE of the replications, 1 by default)

Every row is a made-up experiment (laws.py), repeated: data are drawn, the interval is taken as evalkit takes it, and it is
counted how often it holds the known truth. `stated`: how often there is an interval at all; `conservative`: how many of
those say that they are; `coverage` is that of the stated ones. `width` is the median over the width of the normal interval
of someone who knows the spread. The truth of a Fréchet distance is what its estimator gives on average at this n (its
intervals speak of sampling only), and for the extrapolated one the distance of the two laws. `power`: what a plan
promises is `promised`, and how often the tests of that many samples found the difference is `coverage`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from boards import ranks
from laws import APART, CLUSTERED, MEANS, PAIRS, PER_PROMPT, RATES, Law
from sets import distances
from tests_run import power

from evalkit.metrics.base import Estimate
from evalkit.metrics.psnr import psnr
from evalkit.stats.intervals import Method, log_mean_interval, mean_interval, ratio_interval, transform
from evalkit.stats.paired import independent_difference, paired_difference
from evalkit.stats.studentised import Studentised
from evalkit.stats.units import units_of

OUT = Path(__file__).parent / "coverage.csv"
SIZES = (8, 20, 50, 200, 1000)
COLUMNS = (
    "what",
    "law",
    "n",
    "method",
    "replications",
    "stated",
    "conservative",
    "coverage",
    "error",
    "width",
    "promised",
)
Row = dict[str, Any]


def row(what: str, law: str, n: int, method: str, found: Iterable[Estimate], truth: float, oracle: float) -> Row:
    """One line of the table; `error` is the standard error of the coverage over the replications."""
    every = list(found)
    stated = [each for each in every if each.low is not None and each.high is not None]
    held = [float(each.low or 0) <= truth <= float(each.high or 0) for each in stated]
    share = float(np.mean(held)) if held else float("nan")
    careful = [("conservative" in each.method) for each in stated]
    widths = [(float(each.high or 0) - float(each.low or 0)) / oracle for each in stated]
    error = np.sqrt(max(share * (1 - share), 1e-9) / len(held)) if held else float("nan")
    numbers = (
        len(stated) / len(every),
        np.mean(careful) if held else 0.0,
        share,
        error,
        np.median(widths) if held else 0,
    )
    return dict(
        zip(COLUMNS[:-1], (what, law, n, method, len(every), *(round(float(x), 4) for x in numbers)), strict=True)
    )


def means(replications: int) -> Iterator[Row]:
    """A mean of independent samples, with what is known of its range and without; and plain Student's t beside it."""
    for place, law in enumerate(MEANS):
        for n in SIZES:
            rng = np.random.default_rng([1, place, n])
            drawn = [law.draw(rng, n) for _ in range(replications)]
            how: Method = "auto" if law.name.startswith("share") else "mean"
            found = (mean_interval(values, method=how) for values in drawn)
            yield row("mean", law.name, n, "mean_interval", found, law.mean, law.oracle(n))
            if law.range[1] is not None and not law.name.startswith("share"):
                bounded = (mean_interval(values, range=law.range) for values in drawn)
                yield row("mean", law.name, n, "mean_interval, range declared", bounded, law.mean, law.oracle(n))
            yield row("mean", law.name, n, "plain Student's t", map(_plain, drawn), law.mean, law.oracle(n))


def _plain(values: Any) -> Estimate:
    """What most scripts state."""
    units = units_of(values)
    if units.standard_error == 0:
        return Estimate(units.mean, units.mean, units.mean, units.count, "")
    low, high = Studentised(units.mean, units.standard_error, units.count - 1).bounds(0.05)
    return Estimate(units.mean, low, high, units.count, "")


def clustered_means(replications: int) -> Iterator[Row]:
    """Four images of a prompt whose values hang together, with prompts drawn and with samples drawn as if alone."""
    for place, law in enumerate(CLUSTERED):
        for n in SIZES:
            rng = np.random.default_rng([2, place, n])
            drawn = [law.draw(rng, n) for _ in range(replications)]
            names = np.repeat(np.arange(n // PER_PROMPT), PER_PROMPT)
            whole = (mean_interval(values, clusters=names, range=law.range) for values in drawn)
            yield row("mean", law.name, n, "mean_interval, by prompt", whole, law.mean, law.oracle(n))
            alone = map(mean_interval, drawn)
            yield row("mean", law.name, n, "mean_interval, as if independent", alone, law.mean, law.oracle(n))


def rates(replications: int) -> Iterator[Row]:
    """Corpus rates of which most samples are perfect."""
    for place, rate in enumerate(RATES):
        for n in SIZES:
            rng = np.random.default_rng([6, place, n])
            found = (ratio_interval(*rate.draw(rng, n), range=(0.0, None)) for _ in range(replications))
            yield row("corpus rate", rate.name, n, "ratio_interval", found, rate.mean, rate.oracle(n))


def pooled(replications: int) -> Iterator[Row]:
    """The PSNR of the mean error, whose errors are skewed; and with exact images among them."""
    for name, exact in (("errors lognormal 1", 0.0), ("the same, one in five exact", 0.2)):
        mean = 0.01 * (1 - exact) * np.exp(0.5)
        spread = 0.01 * np.sqrt((1 - exact) * np.exp(2) - (1 - exact) ** 2 * np.exp(1)) / mean * 10 / np.log(10)
        law = Law(
            name, lambda rng, n, exact=exact: 0.01 * rng.lognormal(0, 1, n) * (rng.random(n) >= exact), mean, spread
        )
        for n in SIZES:
            rng = np.random.default_rng([7, int(10 * exact), n])
            errors = (law.draw(rng, n) for _ in range(replications))
            found = (transform(log_mean_interval(each), psnr, "10 log10(1 / error)") for each in errors)
            yield row("pooled PSNR", name, n, "log_mean_interval", found, psnr(mean), law.oracle(n))


def differences(replications: int) -> Iterator[Row]:
    """Two systems on the same samples, and two on samples of their own."""
    for place, pair in enumerate(PAIRS):
        oracle = pair.oracle(1) if pair.draw(np.random.default_rng(0), 8)[2] is None else 2 * pair.oracle(4)
        for n in SIZES:
            rng = np.random.default_rng([3, place, n])
            drawn = (pair.draw(rng, n) for _ in range(replications))
            found = (paired_difference(a, b, clusters=c, range=pair.range).estimate for a, b, c in drawn)
            width = oracle / np.sqrt(n)
            yield row("paired difference", pair.name, n, "paired_difference", found, pair.difference, width)
    for place, pair in enumerate(APART):
        oracle = pair.oracle(1)
        for n in SIZES:
            rng = np.random.default_rng([8, place, n])
            drawn = (pair.draw(rng, n) for _ in range(max(20, replications // 4)))
            found = (independent_difference(a, b, range=pair.range).estimate for a, b, _ in drawn)
            width = oracle / np.sqrt(n)
            yield row("independent difference", pair.name, n, "independent_difference", found, pair.difference, width)


SECTIONS: tuple[tuple[Callable[[int], Iterator[Row]], int], ...] = (
    (means, 900),
    (clustered_means, 900),
    (rates, 900),
    (pooled, 900),
    (differences, 900),
    (distances, 150),
    (ranks, 300),
    (power, 3000),
)


def table(share: float = 1.0) -> list[Row]:
    """All rows, each section from `share` of its replications and with seeds of its own."""
    found: list[Row] = []
    for make, replications in SECTIONS:
        found += make(max(20, int(replications * share)))
        print(f"{make.__name__}: {len(found)} rows", flush=True)
    return found


if __name__ == "__main__":
    rows = table(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
    with OUT.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(OUT)
