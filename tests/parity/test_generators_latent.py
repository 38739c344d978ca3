"""MAR and xAR against numbers of the official networks (LTH14/mar, OliverRen/xAR), with weights filled by rule.

A parameter's values follow from its official name, so equal numbers mean equal names, shapes and maths. MAR-B has its full
size, xAR the widths of xAR-B in two layers. Both runs are given the noise that the official code was given.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evalkit.generators.guidance import Guidance
from evalkit.generators.mar import Mar
from evalkit.generators.registry import GENERATORS, Source
from evalkit.generators.sampling import Sampler
from evalkit.generators.xar import Xar, XarConfig

DATA = np.load(Path(__file__).parent / "data" / "latent.npz")
CLASSES, SEED = torch.tensor([3, 977]), 1
POSITIONS = ("pos_embed_learned$", 160.0)
GAINS = {
    "mar": (POSITIONS, (r"^class_emb\.weight$", 16.0), ("^fake_latent$", 16.0), ("^mask_token$", 16.0)),
    "xar": (POSITIONS, (r"^class_emb\.weight$", 16.0)),
}


def stream(name: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([zlib.crc32(name.encode()), SEED]))


def normal(name: str, *shape: int) -> Tensor:
    return torch.from_numpy(stream("input:" + name).standard_normal(shape, dtype=np.float32))


def fill(network: nn.Module, gains: tuple[tuple[str, float], ...]) -> None:
    for key, value in network.state_dict().items():
        drawn = stream(key).standard_normal(tuple(value.shape), dtype=np.float32)
        if value.ndim >= 2:
            drawn = drawn / np.float32(math.sqrt(math.prod(value.shape[1:])))
        else:
            drawn = 1 + np.float32(0.1) * drawn if key.endswith("weight") else np.float32(0.05) * drawn
        for pattern, gain in gains:
            if re.search(pattern, key):
                drawn = drawn * np.float32(gain)
        value.copy_(torch.from_numpy(drawn))


def made(cls: Any, config: Any, family: str) -> Any:
    network = cls.build(config)
    fill(network, GAINS[family])
    return cls(Source("filled", config, None, None, None, None, torch.device("cpu"), torch.float32), network)


def numbered(prefix: str, number: int = 0) -> Callable[[], int]:
    """Counts the calls of the official code's noise."""
    calls = [number]

    def following() -> int:
        calls[0] += 1
        return calls[0]

    return following


def close(found: Tensor, key: str, share: float) -> None:
    """Every fourth channel, within a share of the largest number."""
    want = DATA[key]
    np.testing.assert_allclose(found.numpy(), want, atol=share * float(np.abs(want).max()), rtol=0)


@pytest.fixture(scope="module")
def mar() -> Mar:
    model: Mar = made(Mar, GENERATORS.get("mar-b").config, "mar")
    return model


@pytest.mark.slow
def test_mar_tells_its_head_the_official_numbers(mar: Mar) -> None:
    tokens = normal("mar.latent", 2, 16, 16, 16).flatten(2).transpose(1, 2)
    masked = torch.from_numpy(DATA["mar_mask"]).float()
    z = mar.predict(CLASSES, tokens, masked)[:, ::8, ::16]
    np.testing.assert_allclose(z[:, ::4, ::4].numpy(), DATA["mar_z"], atol=2e-4)
    nothing = mar.predict(torch.tensor([1000]), tokens[:1], masked[:1])[:, ::8, ::16]
    np.testing.assert_allclose(nothing[:, ::4, ::4].numpy(), DATA["mar_z_uncond"], atol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "sampler"),
    [
        ("mar_full", Sampler(Guidance("mar", 2.9), steps=4)),
        ("mar_full_const_uncfg", Sampler(temperature=0.95, steps=2)),
    ],
)
def test_mar_draws_the_official_latents(mar: Mar, key: str, sampler: Sampler) -> None:
    mar.head_steps = "8,0"
    following = numbered("mar", 3000)
    orders = torch.from_numpy(DATA["mar_orders"]).long()

    def draw(count: int) -> Tensor:
        return normal(f"mar.noise{following()}", 2 * count, 16).view(2, count, 16)

    close(mar.draw_latents(CLASSES, sampler, orders, draw)[:, ::4], key, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "sampler"),
    [
        ("xar_full_cfg", Sampler(Guidance("xar", 2.7), steps=4)),
        ("xar_full_nocfg", Sampler(Guidance("xar", 1.0), steps=3)),
    ],
)
def test_xar_draws_the_official_latents(key: str, sampler: Sampler) -> None:
    model: Xar = made(Xar, XarConfig(768, 2, 12, 2.7, 4), "xar")
    following = numbered("xar")
    found = model.draw_latents(CLASSES, sampler, lambda: normal(f"xar.noise{following()}", 2, 64, 16))
    close(found[:, ::4], key, 1e-3)
