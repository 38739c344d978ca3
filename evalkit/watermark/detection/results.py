"""results.json of a detection: counts, the share detected, what chance alone would give, and whether p is uniform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import kstest

from evalkit.runs.store import Result
from evalkit.stats.intervals import clopper_pearson
from evalkit.watermark.detection.columns import Columns
from evalkit.watermark.detection.rows import LN10
from evalkit.watermark.detection.verdict import DETECTED, ERROR, INCONCLUSIVE, NOT_DETECTED, Judged, Rule


def results_of(
    columns: Columns, judged: Judged, counts: Mapping[str, Any], rule: Rule, method: str, dataset: str
) -> list[Result]:
    """The rows: images by verdict, share detected with a Clopper-Pearson interval, discoveries, expected false ones."""
    n = len(columns.good)
    told = {"task": "watermark-detect", "dataset": dataset, "protocol": f"watermark-{method}"}

    def row(
        metric: str,
        value: float | None,
        unit: str,
        *,
        low: float | None = None,
        high: float | None = None,
        how: str = "",
        of: int = n,
        reason: str | None = None,
    ) -> Result:
        status: Any = "ok" if reason is None else "unavailable"
        return Result(
            **told, metric=metric, value=value, low=low, high=high, ci_method=how, n=of, unit=unit, better="",
            status=status, reason=reason,
        )  # fmt: skip

    found = [
        row(name.replace(" ", "_"), counts[name], "pictures", of=len(columns.ids))
        for name in (DETECTED, NOT_DETECTED, INCONCLUSIVE, ERROR)
    ]
    if not n:
        reason = "no image of the set could be read"
        return [*found, row("detected_share", None, "", reason=reason)]
    low, high = clopper_pearson(counts[DETECTED], n)
    found.append(row("detected_share", counts[DETECTED] / n, "", low=low, high=high, how="Clopper-Pearson"))
    found.append(row("hypotheses", counts["hypotheses"], "groups"))
    rate = rule.fdr or 0.01
    groups = len(np.unique(columns.group[judged.q <= rate]))
    found.append(row(f"discoveries_fdr_{rate:g}", groups, "groups", of=counts["hypotheses"]))
    if rule.fdr is None:
        most = "alpha times the images: what to expect where none is marked"
        found.append(row("expected_false_positives", rule.alpha * n, "pictures", how=most))
    else:
        most = "at most fdr times the discoveries, on average"
        found.append(row("expected_false_positives", rule.fdr * groups, "groups", how=most, of=counts["hypotheses"]))
    test = kstest(np.exp(columns.log_p), "uniform", alternative="greater")
    how = "one-sided: 0 where p-values are nowhere too small; marked images raise it"
    found.append(row("p_excess_ks", float(test.statistic), "", how=how))
    found.append(row("p_excess_ks_p", float(test.pvalue), "", how="of images that are independent and not marked"))
    found.append(row("log10_p_median", float(np.median(columns.log_p)) / LN10, "", how=f"decided by {rule.decide}"))
    return found
