"""Weights that follow from a formula, so that numbers of a tiny network can be written down."""

from __future__ import annotations

import torch


@torch.no_grad()
def steady(network: torch.nn.Module, scale: float = 0.3) -> torch.nn.Module:
    """The network with sines in place of its weights; norms keep theirs, and are 1 and 0."""
    for number, (_, weight) in enumerate(sorted(network.named_parameters())):
        if weight.ndim > 1:
            at = torch.arange(weight.numel(), dtype=torch.float64) * 0.7 + number
            weight.copy_((scale * torch.sin(at * at)).reshape(weight.shape))
    return network
