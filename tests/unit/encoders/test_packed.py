import copy

import pytest
import torch
from torch import nn

from evalkit.encoders import packed as module
from evalkit.encoders.features.inception import Conv, FidInception
from evalkit.encoders.folded import folded
from evalkit.encoders.packed import PackedConv, packed

SIDE = 299


def conv_of(each):
    return each.conv if isinstance(each, Conv) else None


@pytest.fixture(scope="module")
def networks():
    """A folded network, and the same with packed convolutions."""
    torch.manual_seed(0)
    network = FidInception()
    for each in network.modules():
        if isinstance(each, nn.Conv2d):
            nn.init.kaiming_normal_(each.weight)
    plain = folded(network, (("conv", "bn"),))
    fast = copy.deepcopy(plain)
    packed(fast, conv_of, images(1))
    return plain, fast


def images(n, side=SIDE):
    x = torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(n))
    return x.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def test_packed_convolutions_give_the_same_within_rounding(networks):
    plain, fast = networks
    assert any(isinstance(each, PackedConv) for each in fast.modules())
    assert not any(isinstance(each, nn.Conv2d) for each in fast.modules())
    wanted = ("64", "2048", "sfid", "logits")
    for name, expected in plain(images(1), wanted).items():
        found = fast(images(1), wanted)[name]
        assert float((found - expected).abs().max() / expected.abs().max()) < 3e-6


@torch.inference_mode()
def test_they_take_other_shapes_than_the_one_they_were_made_for(networks):
    plain, fast = networks
    for x in (images(3, 95), torch.randn(1, 3, 95, 95)):
        expected = plain(x)["2048"]
        assert float((fast(x)["2048"] - expected).abs().max() / expected.abs().max()) < 3e-6


def test_without_the_operators_a_network_stays_as_it_is(monkeypatch):
    def broken(*_):
        raise RuntimeError("no such operator")

    network = folded(FidInception(), (("conv", "bn"),))
    monkeypatch.setattr(module.PackedConv, "forward", broken)
    packed(network, conv_of, images(1, 95))
    assert not any(isinstance(each, PackedConv) for each in network.modules())
