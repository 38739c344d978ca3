"""Blocks that a class steers."""

from __future__ import annotations

import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.generators.nets.adaptive import AdaptiveBlock, SharedAdaptiveBlock
from evalkit.generators.nets.llama import Context


@pytest.mark.parametrize("kind", [AdaptiveBlock, SharedAdaptiveBlock])
def test_a_block_with_closed_gates_changes_nothing(kind: type[AdaptiveBlock | SharedAdaptiveBlock]) -> None:
    block, x = kind(8, 2), torch.randn(2, 3, 8)
    for name, parameter in block.named_parameters():
        if name.startswith("ada"):
            torch.nn.init.zeros_(parameter)
    steer = torch.randn(2, 1, 8) if kind is AdaptiveBlock else torch.zeros(2, 1, 48)
    assert torch.equal(block(x, Context(steer=steer)), x)


def test_a_block_without_its_class_is_refused() -> None:
    with pytest.raises(EvalkitError, match="class embedding"):
        AdaptiveBlock(8, 2)(torch.zeros(1, 1, 8), Context())
