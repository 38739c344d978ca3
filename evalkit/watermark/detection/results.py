"""results.json of a detection: counts, the share detected, what chance alone would give, and whether p is uniform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import kstest

from evalkit.metrics.metric import Metric
from evalkit.metrics.watermark import (
    DETECTED_SHARE,
    EXPECTED_FALSE,
    FALSE_CALLS,
    FOLDER_P,
    HYPOTHESES,
    OF_VERDICT,
    P_EXCESS,
    P_EXCESS_P,
    P_MEDIAN,
    WITH_GAPS,
    WITH_REGIONS,
    discoveries_at,
)
from evalkit.runs.store import Result
from evalkit.stats.shares import clopper_pearson
from evalkit.watermark.decoys.ranks import Ranked
from evalkit.watermark.detection.columns import Columns
from evalkit.watermark.detection.located import LEVEL
from evalkit.watermark.detection.rows import LN10
from evalkit.watermark.detection.verdict import DETECTED, VERDICTS, Judged, Rule


def whose(rule: Rule) -> str:
    """What the promised rate is an average over."""
    if rule.decide == "decoys":
        return "by decoy keys on these very images"
    return "averaged over keys" if rule.decide == "exact" else "where images are like the null ones"


def results_of(
    columns: Columns,
    judged: Judged,
    counts: Mapping[str, Any],
    rule: Rule,
    method: str,
    dataset: str,
    decoys: Ranked | None = None,
    located: Mapping[str, int] | None = None,
) -> list[Result]:
    """The rows: images by verdict, share detected with a Clopper-Pearson interval, discoveries, expected false ones, and
    what decoy keys say of the key and of the folder.
    """
    n = len(columns.good)
    told = {"task": "watermark-detect", "dataset": dataset, "protocol": f"watermark-{method}"}

    def row(
        metric: Metric,
        value: float | None,
        *,
        low: float | None = None,
        high: float | None = None,
        how: str = "",
        of: int = n,
        unit: str | None = None,
        reason: str | None = None,
    ) -> Result:
        status: Any = "ok" if reason is None else "unavailable"
        return Result(
            **told, metric=metric.name, value=value, low=low, high=high, ci_method=how, n=of,
            unit=metric.unit if unit is None else unit, better=metric.better, status=status, reason=reason,
        )  # fmt: skip

    found = [row(OF_VERDICT[name], counts[name], of=len(columns.ids)) for name in VERDICTS]
    if not n:
        reason = "no image of the set could be read"
        return [*found, row(DETECTED_SHARE, None, reason=reason)]
    low, high = clopper_pearson(counts[DETECTED], n)
    found.append(row(DETECTED_SHARE, counts[DETECTED] / n, low=low, high=high, how="Clopper-Pearson"))
    found.append(row(HYPOTHESES, counts[HYPOTHESES.name]))
    rate = rule.fdr or 0.01
    groups = len(np.unique(columns.group[judged.q <= rate]))
    found.append(row(discoveries_at(rate), groups, of=counts[HYPOTHESES.name]))
    if rule.fdr is None:
        most = f"alpha times the images: the most to expect where none is marked, {whose(rule)}"
        found.append(row(EXPECTED_FALSE, rule.alpha * n, how=most))
    else:
        most = f"at most fdr times the discoveries, {whose(rule)}"
        found.append(row(EXPECTED_FALSE, rule.fdr * groups, how=most, of=counts[HYPOTHESES.name], unit="groups"))
    if decoys is not None:
        mean, low, high = decoys.interval()
        how = f"mean and 95 % of {decoys.keys} decoy keys at p {decoys.level:.2g}; the real key is one like them"
        found.append(row(FALSE_CALLS, mean, low=low, high=high, how=how))
        found.append(
            row(
                FOLDER_P,
                decoys.folder_p,
                how=f"rank among {decoys.keys} decoy keys; none is smaller than 1 in {decoys.keys + 1}",
            )
        )
    for metric, name, of in ((WITH_REGIONS, "images", "unmarked ones"), (WITH_GAPS, "gaps", "evenly marked ones")):
        if located and name in located:
            found.append(row(metric, located[name], how=f"family-wise {LEVEL:g} for each image: so many of {of}"))
    test = kstest(np.exp(columns.log_p), "uniform", alternative="greater")
    how = "one-sided: 0 where p-values are nowhere too small; marked images raise it"
    found.append(row(P_EXCESS, float(test.statistic), how=how))
    found.append(row(P_EXCESS_P, float(test.pvalue), how="of images that are independent and not marked"))
    found.append(row(P_MEDIAN, float(np.median(columns.log_p)) / LN10, how=f"decided by {rule.decide}"))
    return found
