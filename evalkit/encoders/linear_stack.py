"""The head that LAION's aesthetic predictor v2 and ImageReward share: five linear layers in a row, without activations."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

WIDTHS = (1024, 128, 64, 16, 1)
PLACES = (0, 2, 4, 6, 7)  # of the linear layers in the released stacks; dropout stands between some of them


class LinearStack(nn.Module):
    """[B, width] -> [B]; parameters are named `layers.0.weight`, `layers.2.weight`, … as in both files."""

    def __init__(self, width: int = 768) -> None:
        super().__init__()
        layers = [nn.Linear(a, b) for a, b in itertools.pairwise((width, *WIDTHS))]
        self.layers = nn.ModuleDict({str(place): layer for place, layer in zip(PLACES, layers, strict=True)})

    def forward(self, x: Tensor) -> Tensor:
        """The one number of each row."""
        for layer in self.layers.values():
            x = layer(x)
        return x[:, 0]
