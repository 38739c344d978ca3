"""Hi-MAR: two phases, every place once, requests are independent, guidance of each phase, official names."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers.near import same
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.hi_mar import BASE, HUGE, LARGE, HiMar, HiMarConfig, _schedule
from evalkit.generators.nets.diffusion_head import Respaced
from evalkit.generators.registry import GENERATORS, Source, load_generator
from evalkit.generators.sampling import Sampler
from evalkit.tokenizers.mar import MarKl16
from evalkit.tokenizers.nets.taming import TamingConfig

TINY = HiMarConfig(16, 2, 2, (2, 12), (1, 16, 2), (2.7, 2.5), 3, sides=(2, 4), channels=4, buffer=3, classes=5)


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = HiMar.build(TINY)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.3)
    made = HiMar(Source("tiny", TINY, None, "mar-kl16", None, None, torch.device("cpu"), torch.float32), network)
    made.head_steps, made.global_steps = "4,0", "4,0"  # late steps alone: early ones blow random weights up
    config = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=4, attention=frozenset(), moments=True)
    made._tokenizer = MarKl16("tiny", config, MarKl16.build(config), torch.device("cpu"), torch.float32)
    return made


def requests(n=3, guidance=None):
    sampler = Sampler(guidance or Guidance("hi-mar", 2.0, start=3.0), steps=3)
    return [Request(str(i), class_id=i % 5, seed=i, sampler=sampler) for i in range(n)]


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 64))
def test_every_place_is_drawn_exactly_once_and_the_last_iteration_leaves_none(count, steps):
    rows = list(_schedule(count, steps))
    assert rows[0][0] == count
    assert rows[-1][2] == 0
    assert all(after == following for (_, _, after), (following, _, _) in pairwise(rows))
    assert all(hidden >= end for hidden, _, end in rows)


def test_images_do_not_depend_on_the_batch(model):
    together = model.generate(requests(5))
    alone = [model.generate([request])[0] for request in reversed(requests(5))][::-1]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(together, alone, strict=True))
    assert together[0].pixels.shape == (64, 64, 3)
    assert together[0].evaluations == 8 + 3


def test_each_phase_has_its_own_guidance(model):
    assert model.default_sampler.guidance == Guidance("hi-mar", 2.5, start=2.7)
    base = model.latents(requests(2))
    assert not torch.equal(base, model.latents(requests(2, Guidance("hi-mar", 2.0, start=4.0))))
    assert not torch.equal(base, model.latents(requests(2, Guidance("hi-mar", 1.5, start=3.0))))
    off = model.latents(requests(2, Guidance("hi-mar", 1.0, start=3.0)))
    assert torch.equal(off, model.latents(requests(2, Guidance())))
    assert torch.equal(
        model.latents(requests(2, Guidance("hi-mar", 2.0))),
        model.latents(requests(2, Guidance("hi-mar", 2.0, start=2.0))),
    )


def test_what_is_known_stays_and_is_seen_by_the_fine_head(model):
    sampler = requests(1)[0].sampler
    orders = torch.randperm(16)[None]
    told = torch.randn(1, 4, 16)
    seen = []
    real = model.network.cond_diffloss.net.forward

    def spy(x, t, c):
        seen.append(x.clone())
        return real(x, t, c)

    model.network.cond_diffloss.net.forward = spy
    out = model.draw_latents(torch.tensor([1]), told, sampler, orders, lambda: torch.ones(1, 16, 4))
    flat = out.flatten(2).transpose(1, 2)[0]
    first = orders[0, -2:]  # drawn in the first iteration, known to the last
    kept = Respaced("4,0").kept[0]  # of what is known at the last step; the noise is 1 everywhere
    same(seen[-1][0, first], kept**0.5 * flat[first] + (1 - kept) ** 0.5)


def test_hidden_places_are_not_seen_and_the_pivots_are(model):
    latents, masked, told = torch.randn(1, 16, 4), torch.zeros(1, 16), torch.randn(1, 4, 16)
    masked[0, :9] = 1
    changed = latents.clone()
    changed[0, :9] += 5
    first = model.predict(torch.tensor([2]), told, latents, masked)
    assert torch.equal(first, model.predict(torch.tensor([2]), told, changed, masked))
    assert not torch.equal(first, model.predict(torch.tensor([2]), told + 1, latents, masked))
    assert not torch.equal(first, model.predict(torch.tensor([5]), told, latents, masked))


def test_official_names_and_the_running_mean_of_the_weights(tmp_path, monkeypatch):
    network = HiMar.build(TINY)
    names = set(network.state_dict())
    assert {"cond_proj.weight", "cond_z_proj.bias", "encoder_task_emb.weight", "decoder_blocks_ada.1.weight"} <= names
    assert {"encoder_blocks.1.adaLN_scale", "decoder_blocks.0.adaLN_shift", "diffloss.net.input_proj.bias"} <= names
    dit = ("x_embedder.proj.weight", "t_embedder.mlp.2.bias", "pos_embed", "blocks.0.adaLN_modulation.1.weight")
    assert {f"cond_diffloss.net.{name}" for name in dit} <= names
    ema = {key: torch.full_like(value, 0.5) for key, value in network.state_dict().items()}
    ema |= {"cond_tokens": torch.zeros(1, 4, 4), "cond_diffloss.net.c_pos_embed": torch.zeros(1, 16, 16)}
    torch.save({"model": network.state_dict(), "model_ema": ema, "epoch": 1}, tmp_path / "checkpoint-last.pth")
    entry = GENERATORS.get("hi-mar-b")
    monkeypatch.setitem(GENERATORS._items, "tiny", entry.__class__("tiny", HiMar, TINY, "hi-mar-b", "mar-kl16"))
    made = load_generator("tiny", tmp_path / "checkpoint-last.pth", "cpu", "float32")
    assert float(made.network.mask_token.mean()) == 0.5
    with pytest.raises(EvalkitError, match="classes 0 to 4"):
        made.latents([Request("0", class_id=7)])


@pytest.mark.parametrize(("config", "millions"), [(BASE, 244), (LARGE, 529), (HUGE, 1090)])
def test_the_sizes_are_those_of_the_readme(config, millions):
    with torch.device("meta"):
        network = HiMar.build(config)
    count = sum(p.numel() for name, p in network.named_parameters() if not name.endswith("net.pos_embed"))
    assert count / 1e6 == pytest.approx(millions, rel=0.005)
