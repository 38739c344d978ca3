"""What a generator's likelihood of images comes to: the likelihood of their codes, given the tokenizer that made them.

Those of codes are no likelihood of pixels: many images have the same codes, and what the tokenizer loses costs nothing. So
numbers compare between generators of one tokenizer only, and their bits per dimension not with those of models of pixels,
which come from what such a model's own program states.
"""

from __future__ import annotations

import math
from functools import partial

from evalkit.metrics.metric import Metric, everywhere

TASK = "likelihood"
GROUP = "nll"  # how the metrics are asked for together
_declared = partial(
    Metric,
    better="lower",
    level="sample",
    task=TASK,
    low=0.0,
    under=everywhere,
    source="teacher forcing, no guidance",
    shown=frozenset(),
)
NLL = _declared("nll_per_token", "NLL per code", "negative log-likelihood per code, given class or prompt", unit="nat")
BITS = _declared("code_bits_per_image", "Bits per image", "bits of an image's codes under the model", unit="bit")
BPD = _declared(
    "code_bits_per_dim",
    "Code bits per dimension",
    "bits of an image's codes per pixel value of the coded image; not a likelihood of pixels",
    unit="bit",
)
PIXELS = _declared(
    "bits_per_dim",
    "Bits per dimension",
    "bits per pixel value, from stated log-likelihoods of the pixels",
    low=None,  # a density can be above 1
    unit="bit",
    source="the model's own program",
)
CODES = (NLL, BITS, BPD)
DECLARED = (*CODES, PIXELS)


def likelihood_columns(nats: float, codes: int, side: int) -> dict[str, float]:
    """The columns of one image: `nats` of all its `codes`, of an image of `side` x `side` x 3 values.

    >>> likelihood_columns(64 * math.log(2), 64, 8)
    {'nll_per_token': 0.6931471805599453, 'code_bits_per_image': 64.0, 'code_bits_per_dim': 0.3333333333333333}
    """
    bits = nats / math.log(2)
    return {NLL.name: nats / codes, BITS.name: bits, BPD.name: bits / (3 * side * side)}


def reported_columns(nats: float, height: int, width: int) -> dict[str, float]:
    """The column of an image of `height` x `width` x 3 values whose log-likelihood, of 8-bit pixels, is stated in nats.

    >>> reported_columns(-192 * math.log(2), 8, 8)
    {'bits_per_dim': 1.0}
    """
    return {PIXELS.name: -nats / math.log(2) / (3 * height * width)}
