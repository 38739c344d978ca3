"""xAR: cells see those before them only, requests are independent, guidance, official names."""

import numpy as np
import pytest
import torch
from helpers.near import near, same

from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler
from evalkit.generators.xar import Xar, XarConfig
from evalkit.tokenizers.mar import MarKl16
from evalkit.tokenizers.nets.taming import TamingConfig

TINY = XarConfig(16, 1, 2, 2.7, 3, side=4, channels=4, classes=5)


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = Xar.build(TINY)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.3)
    made = Xar(Source("tiny", TINY, None, "mar-kl16", None, None, torch.device("cpu"), torch.float32), network)
    config = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=4, attention=frozenset(), moments=True)
    made._tokenizer = MarKl16("tiny", config, MarKl16.build(config), torch.device("cpu"), torch.float32)
    return made


def requests(n, scale=2.0):
    sampler = Sampler(Guidance("xar", scale), steps=3)
    return [Request(str(i), class_id=i % 5, seed=i, sampler=sampler) for i in range(n)]


def test_images_do_not_depend_on_the_batch(model):
    together = model.generate(requests(3))
    alone = [model.generate([request])[0] for request in reversed(requests(3))][::-1]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(together, alone, strict=True))
    assert together[0].pixels.shape == (64, 64, 3)
    assert together[0].evaluations == 12


def test_a_cell_sees_itself_and_those_before(model):
    x, times = torch.randn(1, 16, 4), torch.tensor([[0.0, 0.2, 0.5, 0.9]])
    changed = x.clone()
    changed[:, 8:12] += 1.0
    encoded, velocity = model.predict(torch.tensor([1]), x, times)
    other, moved = model.predict(torch.tensor([1]), changed, times)
    same(encoded[:, :8], other[:, :8])
    same(velocity[:, :8], moved[:, :8])
    assert not near(velocity[:, 12:], moved[:, 12:])


def test_guidance_grows_over_the_cells(model):
    plain, guided = model.latents(requests(1, 1.0)), model.latents(requests(1, 3.0))
    assert torch.equal(plain[:, :, :2, :2], guided[:, :, :2, :2])  # the first cell is not guided
    assert not torch.equal(plain, guided)


def test_official_names():
    names = set(Xar.build(TINY).state_dict())
    block = ["attn.qkv.weight", "mlp.fc1_g.bias", "mlp.fc1_x.weight", "mlp.fc2.weight", "ada_lin.1.bias"]
    assert {f"{part}_blocks.0.{name}" for part in ("encoder", "decoder") for name in block} <= names
    assert {"z_proj_ln.weight", "time_embed.mlp.2.bias", "pred.weight", "class_emb.weight"} <= names
    assert "rope" not in names
