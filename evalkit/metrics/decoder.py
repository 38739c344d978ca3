"""What the decoder probe gives: how well it tells kinds of decoders apart, and what it says of a folder."""

from __future__ import annotations

from functools import partial

from evalkit.metrics.metric import Metric, everywhere
from evalkit.metrics.probe import HEADLINE, MEAN_OF_TASKS

_declared = partial(
    Metric,
    level="sample",
    task="decoder",
    source="evalkit.tasks.probe.decoder",
    low=0.0,
    high=1.0,
    under=everywhere,
    family="decoder",
)
ACCURACY = _declared(
    "decoder_accuracy",
    "Accuracy",
    "share of held-out images whose kind of decoder is named right, both kinds alike",
    "higher",
    task="decoder-train",
    by_sample=MEAN_OF_TASKS,
    shown=HEADLINE,
)
SHARE = _declared(
    "decoder_share",
    "Probability of the second kind",
    "mean calibrated probability of the second kind of decoder over images inside of the training distribution",
    "none",
    shown=frozenset(),
)
OUTSIDE = _declared(
    "decoder_outside",
    "Outside",
    "share of images that are unlike all that the probe was trained on",
    "none",
    shown=frozenset(),
)
DECLARED = (ACCURACY, SHARE, OUTSIDE)
