"""Convolutions with ReLU as a CPU runs them fastest: weights laid out for oneDNN once, ReLU within the convolution.

PyTorch's own convolution lays the weights out anew at every call, which of single images takes a third of the time. The
operators are those that its compiler uses, without the compiler; where they are not there, networks stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class PackedConv(nn.Module):
    """ReLU of a convolution with bias, for images [B, C, H, W] in channels-last memory; made for one shape, takes any."""

    def __init__(self, conv: nn.Conv2d, shape: tuple[int, ...]) -> None:
        """`shape`: of the images that the weights are laid out for."""
        super().__init__()
        self.bias = conv.bias
        self.stride, self.dilation, self.groups = conv.stride, conv.dilation, conv.groups
        self.padding = tuple(conv.padding)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            conv.weight.contiguous(), self.padding, self.stride, self.dilation, self.groups, shape
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, cout, H', W']."""
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups, "relu", [], ""
        )
        return out


@torch.no_grad()
def packed(network: nn.Module, find: Callable[[nn.Module], nn.Conv2d | None], example: Tensor) -> None:
    """Replace the modules that are a convolution and its ReLU, in place; outputs move by rounding alone.

    `find`: the convolution of such a module, None of another one. `example`: an input of the network, on its device.
    """
    if example.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    shapes: dict[nn.Module, tuple[int, ...]] = {}
    found = {name: conv for name, each in network.named_modules() if (conv := find(each)) is not None}

    def note(conv: nn.Module, given: tuple[Tensor, ...]) -> None:
        shapes[conv] = tuple(given[0].shape)

    hooks = [conv.register_forward_pre_hook(note) for conv in found.values()]
    network(example)
    for hook in hooks:
        hook.remove()
    for name, conv in found.items():
        if conv in shapes and not _replaced(network, name, conv, shapes[conv]):
            return


def _replaced(network: nn.Module, name: str, conv: nn.Conv2d, shape: tuple[int, ...]) -> bool:
    """Whether this build of PyTorch has the operators for a convolution of this kind."""
    try:
        made = PackedConv(conv, shape)
        made(torch.zeros(shape).contiguous(memory_format=torch.channels_last))
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    network.set_submodule(name, made)
    return True
