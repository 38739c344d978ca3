"""From p-values of marked and unmarked images to rates with exact intervals, AUC and mean quality."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from evalkit.metrics.watermark import AUC
from evalkit.stats.shares import clopper_pearson
from evalkit.text import csv_cell
from evalkit.watermark.robustness.rows import EMBEDDING, MARKED, NOTHING, QUALITY, UNMARKED
from evalkit.watermark.robustness.tally import Tally

Floats = npt.NDArray[np.float64]
LEVELS = (1e-2, 1e-3, 1e-6)


def summarised(
    tally: Tally, attacks: Sequence[str], contenders: Sequence[str], levels: Sequence[float] = LEVELS
) -> Iterator[dict[str, Any]]:
    """A row for each attack that was done and each contender: `rates`, what the attack cost, and what marking itself did."""
    marking = {each: {f"marking_{name}": value for name, value in _cost(tally, each).items()} for each in contenders}
    for attack in attacks:
        for contender in () if attack in tally.failed else contenders:
            marked = tally.column(attack, contender, MARKED, "log_p")
            found = rates(marked, tally.column(attack, contender, UNMARKED, "log_p"), levels)
            quality = {name: _mean(tally.column(attack, contender, MARKED, name)) for name in QUALITY}
            yield {"contender": contender, "attack": attack, **found, **quality, **marking[contender]}


def embedding_rows(tally: Tally, contenders: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Means of what marking itself cost, for each of `contenders`."""
    for contender in contenders:
        n = len(tally.column(NOTHING, contender, EMBEDDING, QUALITY[0]))
        yield {"contender": contender, "images": n, **_cost(tally, contender)}


def _cost(tally: Tally, contender: str) -> dict[str, float | None]:
    """Mean quality of images that a contender marked, against what they were; None where they came marked."""
    return {name: _mean(tally.column(NOTHING, contender, EMBEDDING, name)) for name in QUALITY}


def rates(marked: Floats, plain: Floats, levels: Sequence[float] = LEVELS) -> dict[str, Any]:
    """For each level the share of marked (tpr) and unmarked (fpr) images with p at most the level, Clopper-Pearson, 95 %.

    `marked`, `plain`: natural logs of p. The level is the exact p's own promise; fpr says what became of it here. `auc`:
    chance that a marked image has the smaller p, ties half; nan without either.
    """
    row: dict[str, Any] = {"marked": len(marked), "unmarked": len(plain), AUC.name: auc(marked, plain)}
    for level in levels:
        for name, values in (("tpr", marked), ("fpr", plain)):
            hits = int((values <= math.log(level)).sum())
            low, high = clopper_pearson(hits, len(values)) if len(values) else (0.0, 1.0)
            share = hits / len(values) if len(values) else math.nan
            row |= {f"{name}_{level:g}": share, f"{name}_{level:g}_low": low, f"{name}_{level:g}_high": high}
    return row


def auc(marked: Floats, plain: Floats) -> float:
    """Area under the curve of true over false positives.

    >>> auc(np.array([-9.0, -1.0]), np.array([-1.0, 0.0]))
    0.875
    """
    if not len(marked) or not len(plain):
        return math.nan
    ranks = rankdata(-np.concatenate([marked, plain]))
    return float((ranks[: len(marked)].sum() - len(marked) * (len(marked) + 1) / 2) / (len(marked) * len(plain)))


def levels_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The levels of rows from large to small, as their columns spell them.

    >>> levels_of([{"tpr_1e-06": 0.0, "tpr_1e-06_low": 0.0, "tpr_0.01": 0.5}])
    ['0.01', '1e-06']
    """
    columns = [name.removeprefix("tpr_") for name in (rows[0] if rows else {}) if name.startswith("tpr_")]
    return sorted((name for name in columns if not name.endswith(("_low", "_high"))), key=float, reverse=True)


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV; numbers with six digits, what is missing empty."""
    stream = io.StringIO()
    if rows:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _shown(value) for name, value in row.items()})
    return stream.getvalue()


def _shown(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else csv_cell(value)


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if len(known) else None
