"""A world-ar of 16 codes an image that trains in a moment, and pairs in the world's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.training.settings import Settings
from evalkit.erasure.training.spec import Training
from evalkit.generators.registry import Source
from evalkit.generators.world_ar import WorldAR
from evalkit.world.ar_net import WorldARConfig

CODES = 16
REPLACED = ("cat", "car", "bed")


def tiny_world(seed: int = 0) -> WorldAR:
    """Two blocks, 24 codes, 4 x 4 places; weights from the seed."""
    config = WorldARConfig(width=32, layers=2, heads=2, codes=24, side=4)
    torch.manual_seed(seed)
    network = WorldAR.build(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
        network.words.weight.mul_(10)  # captions decide what is drawn
        network.words.weight[0] = 0
    source = Source("world-ar", config, None, None, None, None, torch.device("cpu"), torch.float32)
    model = WorldAR(source, network)
    model.weights_sha256 = "0" * 64
    return model


def pairs(count: int = 3, concept: str = "dog") -> tuple[Pair, ...]:
    """Direct pairs to train on."""
    colors = ("red", "blue", "green", "purple", "orange", "yellow")
    return tuple(
        Pair(
            f"a {colors[i % 6]} {concept}",
            f"a {colors[i % 6]} {REPLACED[i % 3]}",
            "object",
            "direct",
            "train",
            concept,
            "colors",
            "test",
        )
        for i in range(count)
    )


def training(out: Path, method: str, settings: Settings, count: int = 3, **named: Any) -> Training:
    """A training on the tiny world."""
    retain = named.pop("retain", ("a cat", "two cars", "a red bed"))
    return Training("world-ar", method, pairs(count), out, retain, settings, device="cpu", **named)
