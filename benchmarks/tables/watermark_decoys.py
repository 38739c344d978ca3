"""What decoy keys promise, and what happens: 200 real keys a cell, each over unmarked images, by the detector's own functions.

Ten folders of 1,500 images are drawn from each law of codes, with decoys of their own; twenty real keys look at each. Of
each key: the share of images with p at most 0.01 by rank among 499 decoys (480 drawn, and the
other 19 real keys) (`rate`), the same where the lean is not taken
out (`raw`), whether the interval that the screen tells holds it (`interval_holds`), and the folder's p (`folder_*`;
`ks_p`: one-sided, of p below uniform). FDR: 30 % of the images are marked by the key, Benjamini-Hochberg at 0.05; `fdr` is the
mean share of false ones among the called, `fdr_high` the upper end of its 95 % interval over keys, `fdr_worst` that of the
worst key, `found` the share of marked images called. Constant images hold one code, so most methods can call none of them.

Run: OMP_NUM_THREADS=1 python benchmarks/tables/watermark_decoys.py [--keys 200] (writes benchmarks/tables/watermark-decoys.csv)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kstest
from watermark_fpr import key_of
from watermark_world import write

from evalkit.watermark.decoys.counts import counted
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.decoys.lean import blocks, fitted, leans
from evalkit.watermark.decoys.ranks import LARGE, TIE, Ranked, folder_ps, ranked
from evalkit.watermark.detection.verdict import DETECTED, Rule, judge
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import build_mark
from evalkit.watermark.sliced import sliced
from evalkit.watermark.spec import MarkSpec

Ints = npt.NDArray[np.int64]
V, TOKENS, IMAGES, DECOYS, FOLDERS, ALPHA, MARKED = 1024, 256, 1500, 480, 10, 0.01, 0.3
WITH_MARKED = 3  # keys of a folder that some of its images are marked with


def zipf(power: float) -> npt.NDArray[np.float64]:
    """Shares of 1,024 codes."""
    law = 1 / np.arange(1, V + 1) ** power
    return law / law.sum()


def drawn(power: float, shape: tuple[int, ...], rng: np.random.Generator) -> Ints:
    """Codes of a Zipf law."""
    return np.minimum(np.searchsorted(np.cumsum(zipf(power)), rng.random(shape)), V - 1)


def textures(n: int, rng: np.random.Generator) -> Ints:
    """A walk: four codes may follow a code, and one step in twenty begins anew."""
    following = np.random.default_rng(11).integers(0, V, (V, 4))
    fresh, codes = drawn(1.0, (n, TOKENS), rng), np.zeros((n, TOKENS), np.int64)
    codes[:, 0] = fresh[:, 0]
    for at in range(1, TOKENS):
        walked = following[codes[:, at - 1], rng.integers(0, 4, n)]
        codes[:, at] = np.where(rng.random(n) < 0.05, fresh[:, at], walked)
    return codes


def grounds(n: int, rng: np.random.Generator) -> Ints:
    """60 % of an image is one of six grounds of twelve codes each."""
    ground = np.random.default_rng(12).integers(0, V, (6, 12))
    mine = ground[rng.integers(0, 6, n)][np.arange(n)[:, None], rng.integers(0, 12, (n, TOKENS))]
    return np.where(rng.random((n, TOKENS)) < 0.6, mine, drawn(1.0, (n, TOKENS), rng))


LAWS: Mapping[str, Callable[[int, np.random.Generator], Ints]] = {
    "Zipf(2)": lambda n, rng: drawn(2.0, (n, TOKENS), rng),
    "Markov textures": textures,
    "shared grounds": grounds,
    "constant": lambda n, rng: np.repeat(drawn(1.0, (n, 1), rng), TOKENS, 1),
}
METHODS = {
    "lbw, 1 list": MarkSpec("lbw"),
    "lbw, 16 lists": MarkSpec("lbw", lists=16),
    "lbw, paired": MarkSpec("lbw", kind="paired"),
    "indexmark": MarkSpec("indexmark"),
    "clusters": MarkSpec("clusters", clusters=128),
    "kgw, context 1": MarkSpec("kgw"),
    "wmar, context 0": MarkSpec("wmar", context=0),
    "places": MarkSpec("places"),
    "bitmark": MarkSpec("bitmark"),
}
BOOK = np.random.default_rng(13).normal(size=(V, 4))
COUNTS = np.maximum(1e6 * zipf(1.0), 1.0)


def mark_of(spec: MarkSpec, number: int) -> Mark:
    """The mark of real key number `number`."""
    counted_ones = COUNTS if spec.method == "wmar" or spec.kind == "paired" else None
    bits = 10 if spec.method == "bitmark" else None
    key = key_of("decoys", spec, number)
    return build_mark(spec, key, "simulated@x", V, frequencies=counted_ones, codebook=lambda: BOOK, bits=bits)


def greens(marks: list[Mark], codes: Ints) -> Ints:
    """[B, keys]: what `Mark.score(codes).green` is of each; pairs and places are coloured once for all images."""
    first: Any = marks[0]
    if first.method == "bitmark":
        signs = np.stack([2 * each.wants[0] - 1 for each in marks], axis=1)  # type: ignore[attr-defined]
        lean = first.leans(codes)
        return (np.abs(lean).sum(1)[:, None] + lean @ signs) // 2
    if first.method not in ("kgw", "places"):
        return _listed(marks, codes)
    units = np.sort(np.stack([first.units(row) for row in codes]), axis=1)
    fresh = units >= 0
    fresh[:, 1:] &= units[:, 1:] != units[:, :-1]
    kinds, at = np.unique(units, return_inverse=True)
    masks = np.stack([_coloured(each, kinds) for each in marks])
    return counted(np.where(fresh, at.reshape(units.shape), len(kinds)), sliced(masks), len(marks))


def _listed(marks: list[Any], codes: Ints) -> Ints:
    """Distinct green codes, or clusters of them, under the greenest list of each mark."""
    kinds = marks[0].units(codes.ravel()).reshape(codes.shape) if marks[0].method == "clusters" else codes
    held = np.zeros((len(codes), V), np.float32)
    np.put_along_axis(held, kinds, 1, axis=1)
    found = []
    for each in marks:
        masks = each.list_after(-1)[None] if each.method == "wmar" else each.pool.masks
        found.append((held[:, : masks.shape[1]] @ masks.T.astype(np.float32)).max(1))
    return np.rint(np.stack(found, axis=1)).astype(np.int64)


def _coloured(mark: Any, kinds: Ints) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(kinds), bool)
    first = kinds // V
    for row in np.unique(first[kinds >= 0]):
        green = mark.list_after(int(row)) if mark.method == "kgw" else mark.green_at([int(row)])[0]
        here = first == row
        found[here] = green[kinds[here] % V]
    return found & (kinds >= 0)


def marked(mark: Mark, codes: Ints, rng: np.random.Generator) -> Ints:
    """Codes of which 40 % are drawn from green ones that occur in such images."""
    done, pool = codes.copy(), codes.ravel()
    green, held = mark.green_places(0, TOKENS) if mark.method == "places" else None, {}
    for row in done:
        forced = np.flatnonzero(rng.random(TOKENS) < 0.4)
        if green is not None:
            donors = rng.choice(pool, (len(forced), 12))
            fits = green[forced[:, None], donors]
            row[forced] = np.where(fits.any(1), donors[np.arange(len(forced)), fits.argmax(1)], row[forced])
            continue
        listed = int(rng.integers(mark.lists))
        if listed not in held:
            held[listed] = pool[mark.green_codes(listed)[pool]]
        donors = held[listed]
        row[forced] = rng.choice(donors, len(forced)) if len(donors) else row[forced]
    return done


@dataclass
class Seen:
    """What one key met."""

    rate: float
    raw: float
    holds: bool
    folder: float
    fdr: float = np.nan
    found: float = np.nan


def raw_rate(decoys: Ints, green: Ints) -> float:
    """Share of images called by the rank of the score itself."""
    above = (decoys >= green[:, None]).sum(1)
    return float(((1 + above) / (decoys.shape[1] + 1) <= ALPHA).mean())


def beside(theirs: Ints, mine: Ints) -> Ranked:
    """A real key's scores [B] among the decoys' [B, K]."""
    return ranked(lambda: [np.concatenate([theirs, mine[:, None]], 1)], ALPHA)


def with_marked(mark: Mark, looker: Any, codes: Ints, theirs: Ints, rng: np.random.Generator) -> tuple[float, float]:
    """(share of false ones among the called, share of marked ones called) with 30 % of the images marked."""
    count = round(MARKED * len(codes))
    changed = marked(mark, codes[:count], rng)
    mixed = np.concatenate([changed, codes[count:]])
    scores = mark.score(mixed)
    all_decoys = np.concatenate([looker.scores(changed), theirs[count:]])
    seen = beside(all_decoys, scores.green)
    log_p = seen.log_p(scores.log_p, scores.log_p_floor)
    every = np.arange(len(codes))
    called = judge(log_p, scores.log_p_floor, every, every, Rule(ALPHA, 0.05)).verdict == DETECTED
    return float(called[count:].sum() / max(int(called.sum()), 1)), float(called[:count].mean())


def cell(law: str, method: str, keys: int) -> Iterator[Seen]:
    """Every key of a law and a method."""
    spec, each_folder = METHODS[method], max(1, keys // FOLDERS)
    for folder in range(FOLDERS):
        rng = np.random.default_rng([5, folder])
        codes = LAWS[law](IMAGES, rng)
        marks = [mark_of(spec, folder * each_folder + number) for number in range(each_folder)]
        looker = decoys_of(marks[0], DECOYS, f"{law}/{method}/{folder}")
        theirs, mine = looker.scores(codes), greens(marks, codes)
        first = marks[0].score(codes)
        if not np.array_equal(mine[:, 0], first.green):
            raise SystemExit("the fast counts of real keys are not those of the detector")
        for number, told in enumerate(together(theirs, mine, first.log_p_floor)):
            if number < WITH_MARKED and method not in ("kgw, context 1", "bitmark") and law != "constant":
                told.fdr, told.found = with_marked(marks[number], looker, codes, theirs, rng)
            yield told


def together(theirs: Ints, mine: Ints, floor: npt.NDArray[np.float64]) -> Iterator[Seen]:
    """What each real key meets. All keys are treated alike, so one pass serves all: the other real keys are decoys too."""
    keys = np.concatenate([theirs, mine], axis=1)
    fit = fitted(lambda: [keys])
    parts = [leans(block, fit) for block in blocks([keys])]
    left = np.round(np.concatenate([x - shift for x, shift in parts]), TIE)
    ordered, others = np.sort(left, axis=1), keys.shape[1] - 1
    above = np.stack([others + 1 - np.searchsorted(row, mine_) for row, mine_ in zip(ordered, left, strict=True)])
    p = np.maximum(above / (others + 1), np.exp(floor)[:, None])
    rates, far = (above <= np.floor(ALPHA * (others + 1))).mean(0), (np.maximum(left - LARGE, 0) ** 2).sum(0)
    folder = folder_ps(fit.means, far)
    for at in range(theirs.shape[1], keys.shape[1]):
        seen = beside(np.delete(keys, at, axis=1), keys[:, at]) if at == theirs.shape[1] else None
        if seen is not None and (seen.folder_p != folder[at] or (seen.above + 1 != above[:, at]).mean() > 0.001):
            raise SystemExit("one pass for all keys is not what the detector does")
        beyond = np.sort(np.delete(rates, at))
        low, high = beyond[int(0.025 * others) - 1], beyond[int(np.ceil(0.975 * (others + 1))) - 1]
        rate = float((p[:, at] <= ALPHA + 1e-12).mean())
        raw = raw_rate(np.delete(keys, at, axis=1), keys[:, at])
        yield Seen(rate, raw, bool(low <= rates[at] <= high), float(folder[at]))


def main() -> None:
    """Measure, and write after every cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=200)
    keys, rows = parser.parse_args().keys, []
    for method in METHODS:
        for law in LAWS:
            seen = list(cell(law, method, keys))
            rate, raw, folder = (np.array([getattr(each, name) for each in seen]) for name in ("rate", "raw", "folder"))
            fdr, found = (np.array([getattr(each, name) for each in seen]) for name in ("fdr", "found"))
            some = np.isfinite(fdr)
            error = fdr[some].std(ddof=1) / some.sum() ** 0.5 if some.sum() > 1 else np.nan
            rows.append(
                {
                    "codes": law, "mark": method, "keys": len(seen), "images": IMAGES,
                    "decoys": DECOYS + keys // FOLDERS - 1, "level": ALPHA,
                    "rate_mean": rate.mean(), "rate_low": np.quantile(rate, 0.025), "rate_high": np.quantile(rate, 0.975),
                    "rate_worst": rate.max(), "within": ((rate >= 0.004) & (rate <= 0.02)).mean(),
                    "above": (rate > 0.02).mean(),
                    "raw_mean": raw.mean(), "raw_worst": raw.max(), "raw_within": ((raw >= 0.004) & (raw <= 0.02)).mean(),
                    "interval_holds": np.mean([each.holds for each in seen]),
                    "folder_at_05": (folder <= 0.05).mean(), "folder_at_01": (folder <= 0.01).mean(),
                    "ks_p": kstest(folder, "uniform", alternative="greater").pvalue,
                    "fdr_nominal": 0.05 if some.any() else "", "fdr": fdr[some].mean() if some.any() else "",
                    "fdr_high": fdr[some].mean() + 1.96 * error if some.any() else "",
                    "fdr_worst": fdr[some].max() if some.any() else "",
                    "found": found[some].mean() if some.any() else "", "fdr_keys": int(some.sum()),
                }
            )  # fmt: skip
            write("watermark-decoys", rows)


if __name__ == "__main__":
    main()
