"""Hi-MAR against numbers of the official network (HiDream-ai/himar), small, with weights filled by their official names."""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.near import same
from torch import Tensor, nn

from evalkit.generators.guidance import Guidance
from evalkit.generators.hi_mar import HiMar, HiMarConfig
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler

DATA = np.load(Path(__file__).parent / "data" / "hi_mar.npz")
SMALL = HiMarConfig(32, 2, 4, (2, 24), (2, 32, 4), (2.7, 2.5), 3, sides=(4, 16), channels=4, buffer=5, classes=10)
CLASSES = torch.tensor([3, 7])


def fill(network: nn.Module) -> None:
    for key, value in network.state_dict().items():
        stream = np.random.Generator(np.random.PCG64([zlib.crc32(key.encode()), 1]))
        drawn = stream.standard_normal(tuple(value.shape), dtype=np.float32)
        if value.ndim >= 2 and "emb" not in key.rsplit(".", 1)[0][-4:]:
            drawn = drawn / np.float32(math.sqrt(math.prod(value.shape[1:])))
        value.copy_(torch.from_numpy(drawn))


@pytest.fixture(scope="module")
def model() -> HiMar:
    network = HiMar.build(SMALL)
    fill(network)
    made = HiMar(Source("small", SMALL, None, None, None, None, torch.device("cpu"), torch.float32), network)
    made.head_steps, made.global_steps = "8,0", "10,0"
    return made


def orders() -> tuple[Tensor, Tensor]:
    stream = np.random.Generator(np.random.PCG64(5))
    pivots, fine = (np.stack([stream.permutation(n) for _ in range(2)]) for n in (16, 256))
    return torch.from_numpy(pivots), torch.from_numpy(fine)


@pytest.mark.parametrize(
    ("run", "guidance", "temperature"),
    [("guided", Guidance("hi-mar", 2.5, start=2.7), 1.0), ("plain", Guidance("hi-mar", 1.0), 0.9)],
)
def test_a_whole_run_is_the_official_one(model: HiMar, run: str, guidance: Guidance, temperature: float) -> None:
    stream = np.random.Generator(np.random.PCG64(11))

    def draw(count: int = 256) -> Tensor:
        return torch.from_numpy(stream.standard_normal((2, count, 4), dtype=np.float32))

    first, second = orders()
    sampler = Sampler(guidance, temperature, steps=3)
    pivots, told = model.draw_pivots(CLASSES, sampler, first, draw)
    same(pivots, torch.from_numpy(DATA[f"{run}_pivots"]), 2e-5)
    fine = model.draw_latents(CLASSES, told, sampler, second, draw)
    same(fine[:, :, ::4, ::4], torch.from_numpy(DATA[f"{run}_fine"]), 5e-5)


def test_what_the_heads_are_told_is_the_official_numbers(model: HiMar) -> None:
    first, second = orders()
    stream = np.random.Generator(np.random.PCG64(2))
    pivots, latents, told = (
        torch.from_numpy(stream.standard_normal((2, *shape), dtype=np.float32))
        for shape in ((16, 4), (256, 4), (16, 32))
    )
    masked = torch.ones(2, 16).scatter(1, first[:, 5:], 0.0)
    coarse = model.predict_pivots(CLASSES, pivots, masked)
    same(coarse[:, :, ::4], torch.from_numpy(DATA["told_pivots"]))
    masked = torch.zeros(2, 256).scatter(1, second[:, :200], 1.0)
    fine = model.predict(torch.tensor([3, 10]), told, latents, masked)
    same(fine[:, ::32, ::4], torch.from_numpy(DATA["told_fine"]))
