"""What an erasure cost: likelihoods, probe scores, text scores, and how far images moved, beside the base's own noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from evalkit.erasure.check.analysis import Analysis
from evalkit.erasure.check.items import DIRECT
from evalkit.erasure.check.judge import FAR, NEAR
from evalkit.erasure.check.probed import ALL
from evalkit.erasure.check.results_maker import Maker
from evalkit.erasure.check.rows import BASE, ERASED, OTHER, WORDS
from evalkit.metrics import erasure as declared
from evalkit.metrics.frechet import FD_EFFLITE0, paired_frechet
from evalkit.metrics.image_text import CLIPSCORE
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval
from evalkit.stats.paired import paired_difference

NO_PROBE = "only the reference world has a probe of its own. Give two runs of evalkit probe with --probes BEFORE AFTER"


def cost_of(done: Analysis, make: Maker, arrays: Mapping[str, Any], why: Mapping[str, str]) -> Iterator[Result]:
    """All numbers of utility, each with its interval or the reason why it is not there."""
    yield from _likelihood(done, make, why)
    yield from _probe(done, make)
    yield from _texts(done, make, why)
    yield from _distance(done, make, arrays)
    replaced, use = done.columns.get("replaced"), done.columns["dropped"] == 0
    if replaced is not None and (rows := use & (done.columns["subset"] == DIRECT) & ~np.isnan(replaced)).any():
        yield make.of(declared.REPLACED, _mean(done, replaced, rows), DIRECT)
    if done.savings is None:
        reason = "no model that never saw the concept was given. Give --relearn and --never-saw"
        yield make.without(declared.SAVINGS, why.get(declared.SAVINGS.name, reason))
    else:
        yield make.plain(declared.SAVINGS, done.savings, 1, how="no interval: one training of each")


def _likelihood(done: Analysis, make: Maker, why: Mapping[str, str]) -> Iterator[Result]:
    columns, use = done.columns, done.columns["dropped"] == 0
    if "kl" not in columns or not (rows := use & ~np.isnan(columns["kl"])).any():
        for metric in (declared.KL, declared.NLL):
            yield make.without(metric, why.get(metric.name, "the images come without codes"))
        return
    rise = columns["nll_erased"] - columns["nll_base"]
    for metric, values in ((declared.KL, columns["kl"]), (declared.NLL, rise)):
        yield make.of(metric, mean_interval(values[rows], clusters=_prompts(done)[rows], method="mean"))


def _probe(done: Analysis, make: Maker) -> Iterator[Result]:
    for each in done.probe:
        part = "" if each.task == ALL else each.task
        yield make.of(declared.PROBE, each.erased, part)
        yield make.of(declared.PROBE_CHANGE, each.change.change, part)
    if not done.probe:
        for metric in (declared.PROBE, declared.PROBE_CHANGE):
            yield make.without(metric, NO_PROBE)


def _texts(done: Analysis, make: Maker, why: Mapping[str, str]) -> Iterator[Result]:
    columns = done.columns
    scores = [columns.get(f"clip_{arm}") for arm in (BASE, ERASED)]
    before, after = scores
    if before is None or after is None or np.isnan(before).all():
        for metric in (CLIPSCORE, declared.CLIP_CHANGE):
            yield make.without(metric, why.get(CLIPSCORE.name, "no image of a retained prompt was scored"))
        return
    rows = ~np.isnan(before) & ~np.isnan(after)
    limits = (CLIPSCORE.low, CLIPSCORE.high)
    for arm, values in ((ERASED, after), (BASE, before)):
        part = "retained" if arm == ERASED else f"retained, {WORDS[arm]}"
        yield make.of(CLIPSCORE, mean_interval(values[rows], method="mean", range=limits), part)
    yield make.of(declared.CLIP_CHANGE, paired_difference(after[rows], before[rows]).estimate, "retained")


def _distance(done: Analysis, make: Maker, arrays: Mapping[str, Any]) -> Iterator[Result]:
    """The distance of retained images from the base's, prompt by prompt, and that of the base with other seeds."""
    base = arrays.get("features_base")
    keep = np.zeros(0, bool) if base is None else np.isin(_subsets(done)[arrays["feature_places"]], (NEAR, FAR))
    if base is None or keep.sum() < 2:
        yield make.without(FD_EFFLITE0, "fewer than two retained images have features")
        return
    for arm in (ERASED, OTHER):
        other = arrays.get(f"features_{arm}")
        if other is not None:
            part = "retained" if arm == ERASED else f"retained, {WORDS[arm]} (noise floor)"
            yield make.of(FD_EFFLITE0, paired_frechet(partial(_once, base[keep], other[keep])), part)


def _once(x: Any, y: Any) -> list[tuple[Any, Any]]:
    return [(x, y)]


def _mean(done: Analysis, values: Any, rows: Any) -> Any:
    return mean_interval(values[rows], clusters=_prompts(done)[rows])


def _prompts(done: Analysis) -> Any:
    return done.columns["prompt_id"].astype(str)


def _subsets(done: Analysis) -> Any:
    return done.columns["subset"].astype(str)
