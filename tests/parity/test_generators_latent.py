"""MAR and xAR against numbers of the official networks (LTH14/mar, OliverRen/xAR), with weights filled by rule.

A parameter's values follow from its official name, so equal numbers mean equal names, shapes and maths. MAR-B has its full
size, xAR the widths of xAR-B in two layers. Both runs are given the noise that the official code was given.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.filled import generator, normal
from helpers.near import same
from torch import Tensor

from evalkit.generators.guidance import Guidance
from evalkit.generators.mar import Mar
from evalkit.generators.registry import GENERATORS
from evalkit.generators.sampling import Sampler
from evalkit.generators.xar import Xar, XarConfig

DATA = np.load(Path(__file__).parent / "data" / "latent.npz")
CLASSES = torch.tensor([3, 977])
POSITIONS = ("pos_embed_learned$", 160.0)
GAINS = {
    "mar": (POSITIONS, (r"^class_emb\.weight$", 16.0), ("^fake_latent$", 16.0), ("^mask_token$", 16.0)),
    "xar": (POSITIONS, (r"^class_emb\.weight$", 16.0)),
}


def numbered(prefix: str, number: int = 0) -> Callable[[], int]:
    """Counts the calls of the official code's noise."""
    calls = [number]

    def following() -> int:
        calls[0] += 1
        return calls[0]

    return following


def close(found: Tensor, key: str, share: float) -> None:
    """Every fourth channel, within a share of the largest number."""
    same(found, torch.from_numpy(DATA[key]), share)


@pytest.fixture(scope="module")
def mar() -> Mar:
    model: Mar = generator(Mar, GENERATORS.get("mar-b").config, GAINS["mar"])
    return model


@pytest.mark.slow
def test_mar_tells_its_head_the_official_numbers(mar: Mar) -> None:
    tokens = normal("mar.latent", 2, 16, 16, 16).flatten(2).transpose(1, 2)
    masked = torch.from_numpy(DATA["mar_mask"]).float()
    z = mar.predict(CLASSES, tokens, masked)[:, ::8, ::16]
    close(z[:, ::4, ::4], "mar_z", 5e-5)
    nothing = mar.predict(torch.tensor([1000]), tokens[:1], masked[:1])[:, ::8, ::16]
    close(nothing[:, ::4, ::4], "mar_z_uncond", 5e-5)


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
    model: Xar = generator(Xar, XarConfig(768, 2, 12, 2.7, 4), GAINS["xar"])
    following = numbered("xar")
    found = model.draw_latents(CLASSES, sampler, lambda: normal(f"xar.noise{following()}", 2, 64, 16))
    close(found[:, ::4], key, 1e-3)
