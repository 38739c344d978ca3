"""Weights and inputs that follow from names, alike on every machine, so that numbers can be stored without weights."""

from __future__ import annotations

import math
import re
import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Gains = tuple[tuple[str, float], ...]  # (regular expression of a parameter's name, factor)


def stream(name: str, seed: int = 1) -> np.random.Generator:
    """The random numbers that belong to `name`."""
    return np.random.Generator(np.random.PCG64([zlib.crc32(name.encode()), seed]))


def filled(name: str, shape: tuple[int, ...], gains: Gains = ()) -> Tensor:
    """float32 values of the parameter `name`: spread 1 / sqrt(inputs), scales around 1, biases of 0.05, times its gains."""
    values = stream(name).standard_normal(shape, dtype=np.float32)
    if len(shape) >= 2:
        values = values / np.float32(math.sqrt(math.prod(shape[1:])))
    else:
        scales = name.endswith(("weight", "gamma", "scale"))
        values = 1 + np.float32(0.1) * values if scales else np.float32(0.05) * values
    for pattern, gain in gains:
        if re.search(pattern, name):
            values = values * np.float32(gain)
    return torch.from_numpy(np.asarray(values))


def fill(network: nn.Module, gains: Gains = (), prefix: str = "") -> None:
    """Give every parameter and stored buffer its values; names are taken behind `prefix`."""
    state = network.state_dict()
    network.load_state_dict({key: filled(prefix + key, tuple(value.shape), gains) for key, value in state.items()})


def normal(name: str, *shape: int) -> Tensor:
    """Standard normal float32 input called `name`."""
    return torch.from_numpy(stream("input:" + name).standard_normal(shape, dtype=np.float32))


def integers(name: str, high: int, *shape: int) -> Tensor:
    """int64 input called `name`, uniform below `high`."""
    return torch.from_numpy(stream("input:" + name).integers(0, high, shape, dtype=np.int64))


def generator(cls: Any, config: Any, gains: Gains = ()) -> Any:
    """A generator of the class with filled weights on the CPU, two requests at a time."""
    from evalkit.generators.registry import Source

    network = cls.build(config)
    fill(network, gains)
    model = cls(Source("filled", config, None, None, None, None, torch.device("cpu"), torch.float32), network)
    model.rows = 2
    return model


def tokenizer(cls: Any, config: Any, gains: Gains = ()) -> Any:
    """A tokenizer of the class with filled weights on the CPU."""
    network = cls.build(config)
    fill(network, gains)
    return cls("filled", config, network, torch.device("cpu"), torch.float32)
