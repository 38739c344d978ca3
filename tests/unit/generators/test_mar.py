"""MAR: every latent is drawn once, requests are independent, guidance, respacing, official names."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.mar import Mar, MarConfig
from evalkit.generators.nets.diffusion_head import Respaced, spaced
from evalkit.generators.registry import GENERATORS, Source, load_generator
from evalkit.generators.sampling import Sampler
from evalkit.tokenizers.mar import MarKl16
from evalkit.tokenizers.nets.taming import TamingConfig

TINY = MarConfig(16, 2, 2, (2, 12), 2.9, side=4, channels=4, buffer=3, classes=5)


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = Mar.build(TINY)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.3)
    made = Mar(Source("tiny", TINY, None, "mar-kl16", None, None, torch.device("cpu"), torch.float32), network)
    made.head_steps = "4"
    config = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=4, attention=frozenset(), moments=True)
    made._tokenizer = MarKl16("tiny", config, MarKl16.build(config), torch.device("cpu"), torch.float32)
    return made


def requests(n=3, steps=5, scale=2.0):
    sampler = Sampler(Guidance("mar", scale), steps=steps)
    return [Request(str(i), class_id=i % 5, seed=i, sampler=sampler) for i in range(n)]


@settings(deadline=None, max_examples=12)
@given(st.integers(1, 40))
def test_every_position_is_drawn_exactly_once(steps):
    drawn = []
    network = Mar.build(TINY)
    made = Mar(Source("tiny", TINY, None, None, None, None, torch.device("cpu"), torch.float32), network)
    made.head_steps = "1"
    orders = torch.stack([torch.randperm(16) for _ in range(2)])

    def draw(count):
        drawn.append(count)
        return torch.randn(2, count, 4)

    out = made.draw_latents(torch.tensor([0, 1]), Sampler(steps=steps), orders, draw)
    assert out.shape == (2, 4, 4, 4)
    assert sum(drawn) == 2 * 16  # once for the start, once for the single step of the head
    assert (out != 0).all()


def test_images_do_not_depend_on_the_batch(model):
    together = model.generate(requests(5))
    alone = [model.generate([request])[0] for request in reversed(requests(5))][::-1]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(together, alone, strict=True))
    assert together[0].pixels.shape == (64, 64, 3)
    assert together[0].evaluations == 5
    assert model.latents(requests(2)).shape == (2, 4, 4, 4)


def test_guidance_of_one_is_the_condition_alone(model):
    plain = model.latents(requests(2, scale=1.0))
    none = Sampler(steps=5)
    again = model.latents([Request(str(i), class_id=i, seed=i, sampler=none) for i in range(2)])
    assert torch.equal(plain, again)
    assert not torch.equal(plain, model.latents(requests(2, scale=3.0)))


def test_hidden_latents_are_not_seen_and_the_null_class_is_its_own(model):
    latents, masked = torch.randn(1, 16, 4), torch.zeros(1, 16)
    masked[0, :9] = 1
    changed = latents.clone()
    changed[0, :9] += 5
    first = model.predict(torch.tensor([2]), latents, masked)
    assert torch.equal(first, model.predict(torch.tensor([2]), changed, masked))
    assert not torch.equal(first, model.predict(torch.tensor([5]), latents, masked))


def test_respacing_keeps_the_ends_and_refuses_nonsense():
    assert spaced("100")[0] == 0
    assert spaced("100")[-1] == 999
    assert spaced("8,0") == [0, 71, 143, 214, 285, 356, 428, 499]
    whole = Respaced("1000")
    assert np.allclose(Respaced("10").kept, whole.kept[spaced("10")], rtol=1e-12)
    assert whole.betas.max() <= 0.999 + 1e-12
    for bad in ("x", "1001", "-1"):
        with pytest.raises(EvalkitError):
            spaced(bad)


def test_official_names_and_the_running_mean_of_the_weights(tmp_path, monkeypatch):
    network = Mar.build(TINY)
    names = set(network.state_dict())
    assert {"fake_latent", "mask_token", "encoder_blocks.1.attn.qkv.weight", "decoder_blocks.0.mlp.fc2.bias"} <= names
    assert {"diffloss.net.time_embed.mlp.2.weight", "diffloss.net.final_layer.adaLN_modulation.1.bias"} <= names
    ema = {key: torch.full_like(value, 0.5) for key, value in network.state_dict().items()}
    torch.save({"model": network.state_dict(), "model_ema": ema, "epoch": 1}, tmp_path / "checkpoint-last.pth")
    entry = GENERATORS.get("mar-b")
    monkeypatch.setitem(GENERATORS._items, "tiny", entry.__class__("tiny", Mar, TINY, "mar-b", "mar-kl16"))
    made = load_generator("tiny", tmp_path / "checkpoint-last.pth", "cpu", "float32")
    assert float(made.network.mask_token.mean()) == 0.5
    with pytest.raises(EvalkitError, match="classes 0 to 4"):
        made.latents([Request("0", class_id=7)])
