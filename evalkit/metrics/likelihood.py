"""What a generator's likelihood of images comes to: the likelihood of their codes, given the tokenizer that made them.

None of it is a likelihood of pixels: many images have the same codes, and what the tokenizer loses costs nothing. So
numbers compare between generators of one tokenizer only, and bits per dimension not with those of models of pixels.
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
DECLARED = (NLL, BITS, BPD)


def likelihood_columns(nats: float, codes: int, side: int) -> dict[str, float]:
    """The columns of one image: `nats` of all its `codes`, of an image of `side` x `side` x 3 values.

    >>> likelihood_columns(64 * math.log(2), 64, 8)
    {'nll_per_token': 0.6931471805599453, 'code_bits_per_image': 64.0, 'code_bits_per_dim': 0.3333333333333333}
    """
    bits = nats / math.log(2)
    return {NLL.name: nats / codes, BITS.name: bits, BPD.name: bits / (3 * side * side)}
