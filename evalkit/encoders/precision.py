"""Float32 that is float32: TF32 kernels off, because verdicts were seen to depend on the kind of GPU with them on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_float32() -> Iterator[None]:
    """A context in which matrix products and convolutions of float32 keep all 24 bits; the old settings come back.

    Source of the trouble: djghosh13/geneval, issue 15 (scores of one detector collapse on GPUs with TF32).
    """
    products, convolutions = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = products
        torch.backends.cudnn.allow_tf32 = convolutions
