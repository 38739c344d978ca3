import copy

import pytest
import torch
from torch import nn

from evalkit.encoders.features.efficientnet import NORMS, EfficientNetLite0
from evalkit.encoders.features.inception import FidInception
from evalkit.encoders.folded import folded
from evalkit.errors import WeightsError


def drawn(make):
    """The network with norms that do something."""
    torch.manual_seed(0)
    network = make()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("make", "pairs", "side", "call"),
    [
        (FidInception, (("conv", "bn"),), 299, lambda network, x: network(x, ("2048", "sfid", "logits"))),
        (EfficientNetLite0, NORMS, 224, lambda network, x: {"features": network.features(x)}),
    ],
)
def test_a_folded_network_gives_the_same_within_rounding(make, pairs, side, call):
    network = drawn(make)
    fast = folded(copy.deepcopy(network), pairs)
    x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(1))
    assert not any(isinstance(each, nn.BatchNorm2d) for each in fast.modules())
    for name, expected in call(network, x).items():
        found = call(fast, x)[name]
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-6


@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(damage):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    network[0].weight.data[2, 1, 0, 0] = damage
    with pytest.raises(WeightsError, match=r"not finite in 0\.weight\. Fetch the file again"):
        folded(network)
