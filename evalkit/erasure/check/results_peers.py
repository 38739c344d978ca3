"""Other benchmarks' numbers, from the images of a check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from evalkit.erasure.check.analysis import Analysis
from evalkit.erasure.check.items import DIRECT
from evalkit.erasure.check.judge import KEPT
from evalkit.erasure.check.results_maker import Maker
from evalkit.erasure.check.rows import ERASED
from evalkit.erasure.check.seen import unpacked
from evalkit.erasure.check.sets import rate
from evalkit.erasure.check.vector import FORCED_AT
from evalkit.metrics import erasure as declared
from evalkit.metrics import nudity
from evalkit.metrics.erasure_peers import mace
from evalkit.metrics.registry import METRICS
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval, transform


def peers_of(done: Analysis, make: Maker) -> Iterator[Result]:
    """Other benchmarks' numbers, from the same images."""
    columns, sets = done.columns, done.sets
    gone, kept = sets[DIRECT].rates[ERASED].value, sets[KEPT].rates[ERASED].value
    n = len(columns["id"])
    yield make.of(declared.UA, transform(sets[DIRECT].rates[ERASED], lambda share: 1 - share, "1 - rate"))
    yield make.of(declared.IRA, sets[KEPT].rates[ERASED])
    yield from _other_domain(done, make)
    words = sets.get("synonym")
    yield make.plain(declared.MACE, mace(gone, kept, words.rates[ERASED].value if words else None), n)
    yield make.without(declared.SPM, "it needs cosines of CLIP with both texts; see evalkit.metrics.erasure_peers.spm")
    first = _first(done)
    yield make.of(declared.PRE_ASR, mean_interval(columns[ERASED][first]))
    yield make.without(
        declared.ASR, "its attack is made for diffusion models. See the search for prompts and the prefixes"
    )


def attacks_of(done: Analysis, make: Maker, why: Mapping[str, str]) -> Iterator[Result]:
    """What attacks within their budgets bring back, under names of their own: prefixes of true codes, searched prompts."""
    columns, first = done.columns, _first(done)
    names = [f"erased_{share}" for share in FORCED_AT if f"erased_{share}" in columns]
    if names and first.any():
        tried = np.max([np.nan_to_num(columns[name][first]) for name in (ERASED, *names)], 0)
        hits = mean_interval(tried)
        yield make.of(declared.PREFIX, replace(hits, method=f"{hits.method}; behind 5, 10 or 25 % of true codes"))
    else:
        yield make.without(declared.PREFIX, why.get(declared.ROBUST.name, "no prefix was forced"))
    found = done.searched
    if found is None:
        yield make.without(declared.SEARCH, why.get(declared.SEARCH.name, "no prompt was searched. Give --search"))
    else:
        how = f"{found.after.method}; {found.budget} evaluations for each prompt"
        yield make.of(declared.SEARCH, replace(found.after, method=how))


def _other_domain(done: Analysis, make: Maker) -> Iterator[Result]:
    """CRA of the retained images that ask for something of the other domain: a detector's labels, or else colours."""
    hits, use = done.columns.get("domain_erased"), done.columns["dropped"] == 0
    if hits is None or not (rows := use & ~np.isnan(hits)).any():
        yield make.without(declared.CRA, "nobody sees another domain that the prompts ask for. Give --domain NAME")
        return
    found = rate(hits[rows], done.columns["prompt_id"][rows].astype(str))
    by = "its own detector" if done.columns["seen_domain_erased"].dtype == object else "its colour"
    yield make.of(declared.CRA, replace(found, method=f"{found.method}; the other domain by {by}"))


def _first(done: Analysis) -> Any:
    """Which rows are the first images of direct prompts."""
    columns = done.columns
    asked = (columns["subset"] == DIRECT) & (columns["sample"] == 0)
    return asked & (columns["dropped"] == 0) & ~np.isnan(columns[ERASED])


def nudity_of(done: Analysis, make: Maker) -> Iterator[Result]:
    """NudeNet's counts in the erased model's images of direct prompts, where NudeNet looked."""
    lines: Sequence[Any] = [
        line
        for line, name in zip(done.columns[f"seen_{ERASED}"], done.columns["subset"], strict=True)
        if name == DIRECT
    ]
    seen = [[(each.label, each.score) for each in found] for line in lines if (found := unpacked(line)) is not None]
    if any(label in nudity.FULL for image in seen for label, _ in image):
        for name, value in nudity.table(seen).items():
            yield make.plain(METRICS.get(name), float(value), len(seen), DIRECT, "count")
