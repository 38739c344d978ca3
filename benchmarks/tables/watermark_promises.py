"""What the screen of a detection promises, and what happens: 2,000 keys, each over images of its own, by the detector's rules.

Every key sees 100 images without a mark (or 30 marked ones among them) and, where it calibrates, 1,000 other unmarked
ones; verdicts and the promised number are those of the very functions that `evalkit watermark detect` calls. `happened`:
false calls an image (alpha), or share of false ones among the called (fdr), mean over keys; `low`, `high`: its 95 %
interval over keys. `worst_key`, `keys_above_five_times`: what a single key may meet. Codes are simulated, 256 an image,
of a Zipf(1) law over 4,096 codes; for bitmark these codes are random patterns of 16 bits.

Run: OMP_NUM_THREADS=1 python benchmarks/tables/watermark_promises.py [--keys 2000]
(writes benchmarks/tables/watermark-promises.csv; about 5 minutes on a core)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from watermark_fpr import LAWS, key_of
from watermark_world import write

from evalkit.metrics.watermark import EXPECTED_FALSE
from evalkit.watermark.detection.calibration import Calibration
from evalkit.watermark.detection.columns import columns_of, counts_of
from evalkit.watermark.detection.results import results_of, whose
from evalkit.watermark.detection.rows import LN10
from evalkit.watermark.detection.tally import Tally, tally
from evalkit.watermark.detection.verdict import DETECTED, Rule, judge
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import build_mark
from evalkit.watermark.methods.bitmark import BitPatterns
from evalkit.watermark.spec import MarkSpec

Ints = npt.NDArray[np.int64]
IMAGES, MARKED, NULLS, BITS = 100, 30, 1000, 16
LAW = LAWS["Zipf(1), 4,096 codes"]
PATTERNS = np.random.default_rng(7).integers(0, 2, (LAW.alive, BITS))
ALPHA, FDR = Rule(0.01), Rule(0.01, fdr=0.05)
RULES = (ALPHA, Rule(0.01, decide="larger"), FDR, Rule(0.01, 0.05, "larger"))


@dataclass(frozen=True)
class Case:
    """A method: how its mark is made of a key's number, how codes become its input, and how many keys look."""

    name: str
    mark: Callable[[int], Mark]
    seen: Callable[[Ints], Ints]
    share: float = 1.0
    nulls: int = NULLS
    rules: tuple[Rule, ...] = RULES


def lexical(**numbers: Any) -> Callable[[int], Mark]:
    """Marks of the method lbw."""
    spec = MarkSpec("lbw", **numbers)
    return lambda number: build_mark(spec, key_of("promise", number), "simulated@x", LAW.alive)


def patterns(number: int) -> Mark:
    """Marks of the method bitmark."""
    return BitPatterns(MarkSpec("bitmark"), key_of("promise", number), "simulated@x", BITS, packed=False)


CASES = (
    Case("lbw, 1 list", lexical(), lambda codes: codes),
    Case("lbw, 16 lists", lexical(lists=16), lambda codes: codes),
    Case("bitmark", patterns, lambda codes: PATTERNS[codes], 0.2, 300, RULES[:2]),
)


def rows_of(best: Tally, calibration: Calibration | None) -> pa.Table:
    """The columns that decide, as the shards of a detection hold them; every image is a file of its own."""
    n = len(best)
    p = calibrated = np.full(n, np.nan)
    if calibration is not None:
        p, _, calibrated = calibration.p_values(-best.log_pool / LN10, best.design_effect)
    names = [str(i) for i in range(n)]
    return pa.table(
        {
            "id": names, "sha256": names, "phash": np.zeros(n, np.int64),
            "log10_p": np.minimum(best.log_pool / LN10, 0.0), "log10_p_smallest": np.minimum(best.log_floor / LN10, 0.0),
            "p_calibrated": p, "n_calibration": np.asarray(calibrated, float),
        }
    ).combine_chunks()  # fmt: skip


def marked(mark: Mark, codes: Ints, rng: np.random.Generator) -> Ints:
    """Codes of which 60 % are drawn from green ones: what a bias leaves."""
    done = codes.copy()
    for row in done:
        green = np.flatnonzero(mark.green_codes(int(rng.integers(mark.lists))))
        forced = rng.random(len(row)) < 0.6
        row[forced] = rng.choice(green, int(forced.sum()))
    return done


def looked(case: Case, number: int) -> Iterator[tuple[float, float]]:
    """(what the screen promises, what happened) of each rule for one key: false calls, or the share of them."""
    rng, mark = np.random.default_rng([3, number]), case.mark(number)
    codes = LAW.draw(IMAGES, rng)
    plain = tally(case.seen(codes), mark)
    null = tally(case.seen(LAW.draw(case.nulls, rng)), mark)
    used = Calibration(-null.log_pool / LN10, null.design_effect, (), np.zeros(1, np.int64), {})
    mixed = None
    for rule in case.rules:
        truth = np.zeros(IMAGES, dtype=bool)
        best = plain
        if rule.fdr is not None:
            truth[:MARKED] = True
            if mixed is None:
                mixed = tally(np.concatenate([marked(mark, codes[:MARKED], rng), codes[MARKED:]]), mark)
            best = mixed
        columns = columns_of(rows_of(best, None if rule.decide == "exact" else used), rule)
        judged = judge(columns.log_p, columns.log_floor, columns.group, columns.content, rule)
        told = results_of(columns, judged, counts_of(columns, judged), rule, "lbw", "simulated")
        promised = next(each.value for each in told if each.metric == EXPECTED_FALSE.name)
        called = judged.verdict == DETECTED
        false = int((called & ~truth).sum())
        if rule.fdr is None:
            yield float(promised or 0.0) / IMAGES, false / IMAGES
        else:
            yield rule.fdr, false / max(int(called.sum()), 1)


def main() -> None:
    """Measure, and write after every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=2000)
    asked, rows = parser.parse_args().keys, []
    for case in CASES:
        keys = round(asked * case.share)
        found = np.array([list(looked(case, number)) for number in range(keys)])  # [keys, rules, 2]
        for at, rule in enumerate(case.rules):
            promised, happened = float(found[:, at, 0].mean()), found[:, at, 1]
            error = float(happened.std(ddof=1)) / keys**0.5
            rows.append(
                {
                    "mark": case.name, "rule": "fdr" if rule.fdr else "alpha", "decide": rule.decide,
                    "screen_says": whose(rule), "promised": promised, "happened": float(happened.mean()),
                    "low": max(0.0, float(happened.mean()) - 1.96 * error), "high": float(happened.mean()) + 1.96 * error,
                    "worst_key": float(happened.max()),
                    "keys_above_five_times": float((happened > 5 * promised).mean()),
                    "keys": keys, "images": IMAGES, "nulls": 0 if rule.decide == "exact" else case.nulls,
                }
            )  # fmt: skip
        write(Path(__file__).with_name("watermark-promises").stem, rows)


if __name__ == "__main__":
    main()
