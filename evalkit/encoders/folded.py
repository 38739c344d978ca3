"""Evaluator networks as they run fastest: batch norm within the convolutions, channels last in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from evalkit.errors import WeightsError
from evalkit.freed import give_back

N = TypeVar("N", bound=nn.Module)


def folded(network: N, pairs: Sequence[tuple[str, str]] = ()) -> N:
    """`network` in evaluation mode, the batch norms of `pairs` (names of convolution and norm in one module) folded.

    The weights are folded in float64, so that outputs move by rounding alone (below 1e-6 of their size). Raises
    `WeightsError` where a weight is not finite: a ReLU within a convolution would hide it.
    """
    network.eval().requires_grad_(False)
    for module in list(network.modules()):
        for conv, norm in pairs:
            if hasattr(module, conv) and hasattr(module, norm):
                fused = fuse_conv_bn_eval(getattr(module, conv).double(), getattr(module, norm).double())
                setattr(module, conv, fused.float())
                setattr(module, norm, nn.Identity())
    network.to(memory_format=torch.channels_last)
    for name, each in (*network.named_parameters(), *network.named_buffers()):
        if not bool(torch.isfinite(each).all()):
            raise WeightsError(
                f"the weights of {type(network).__name__} are not finite in {name}. Fetch the file again"
            )
        if each.ndim != 4:
            each.data = each.data.clone()  # one weight left in the file's memory map would hold all of it
    give_back()
    return network
