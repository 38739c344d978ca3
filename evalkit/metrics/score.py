"""How the metrics of `evalkit score` are declared: of a set against a reference, or of an image for its prompt."""

from __future__ import annotations

from functools import partial

from evalkit.metrics.metric import Metric, View, everywhere

INCEPTION = "inception-v3-fid"
FIRST: frozenset[View] = frozenset({"headline"})


# a metric of the section `score`; which protocols take it is said by those of evalkit.protocols.score
declare_score = partial(Metric, level="set", task="score", low=0.0, needs=(INCEPTION,), under=everywhere, shown=FIRST)
