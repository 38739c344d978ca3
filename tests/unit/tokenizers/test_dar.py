"""D-AR: official names and EMA, causal codes, the sampler, and results that depend on the seed alone."""

import sys
import types

import pytest
import torch
from helpers.near import near, same
from helpers.tensors import random_images

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.dar import Dar, DarConfig
from evalkit.tokenizers.nets.dar import DarSize, TimeEmbedding
from evalkit.tokenizers.registry import TOKENIZERS

TINY = DarConfig(
    size=DarSize(width=32, head=16), layers=2, patch=4, side=16, tokens=8, codes=64, depth=2, pixel_patch=4, steps=4
)
FILE = "D-AR-tokenizer_v1.pt"


def official(state):
    wrong = {key: torch.full_like(value, 7.0) for key, value in state.items()}
    return {"model": wrong, "ema": state, "steps": 3}


@pytest.fixture
def model(tiny):
    return tiny(Dar, TINY, weights=FILE, wrap=official, suffix=".pt")


def test_a_query_sees_every_patch_and_no_later_query(model):
    before = model.prequant(random_images(1))
    with torch.no_grad():
        model.network.query_embedding.weight[5] += 1.0
    after = model.prequant(random_images(1))
    same(before[:, :5], after[:, :5])
    assert not near(before[:, 5:], after[:, 5:], 1e-3)
    changed = random_images(1)
    changed[:, :, 12:, 12:] = 0.0
    assert not near(model.prequant(changed)[:, 0], after[:, 0], 1e-4)


def test_a_code_is_told_to_its_own_step_and_to_later_ones_only(model):
    indices = model.encode(random_images(1)).indices
    changed = indices.clone()
    changed[:, 4] = (changed[:, 4] + 1) % 64
    told = []
    for codes in (indices, changed):
        seen = []
        handle = model.network.diff_decoder.net.register_forward_pre_hook(
            lambda m, args, seen=seen: seen.append(args[2])
        )
        model.decode(model.codes(indices=codes))
        handle.remove()
        told.append(seen)
    unchanged = [near(a, b) for a, b in zip(*told, strict=True)]
    assert [tuple(each.shape) for each in told[0]] == [(1, 2, 32)] * 4
    assert unchanged == [True, True, False, False]


def test_the_sampler_is_a_second_order_adams_bashforth_on_the_shifted_times(model):
    """The velocity 2t is integrated from 0 to 1: the first step is Euler's."""
    times, asked = TINY.times(), []
    assert times.tolist() == pytest.approx([0.0, 1 / 7, 1 / 3, 3 / 5, 1.0])

    def speed(state, t, condition):
        asked.append(float(t[0]))
        return torch.ones_like(state) * 2 * t[0]

    model.network.diff_decoder.net.forward = speed
    noise = model.initial_noise(0)
    image = model.decode(model.encode(random_images(1)), noise=noise)
    expected, before = 0.0, None
    for t, after in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        expected += (after - t) * (2 * t if before is None else 1.5 * 2 * t - 0.5 * before)
        before = 2 * t
    same((image * 2 - 1) * 0.6, noise + expected)
    assert asked == pytest.approx(times[:-1].tolist())


def test_the_velocity_depends_on_state_time_and_condition(model):
    net = model.network.diff_decoder.net
    state, condition = model.initial_noise(0), torch.randn(1, 2, 32, generator=torch.Generator().manual_seed(2))
    v = net(state, torch.tensor([0.5]), condition)
    assert v.shape == (1, 3, 16, 16)
    for other in (
        net(state, torch.tensor([0.6]), condition),
        net(-state, torch.tensor([0.5]), condition),
        net(state, torch.tensor([0.5]), -condition),
        net(state.transpose(2, 3), torch.tensor([0.5]), condition).transpose(2, 3),
    ):
        assert not near(v, other, 1e-4)


def test_times_are_embedded_as_cosines_then_sines():
    embedding = TimeEmbedding(4)
    embedding.mlp = torch.nn.Identity()
    t = torch.tensor([0.002])
    expected = torch.tensor([[2.0, 0.02]])
    torch.testing.assert_close(embedding(t), torch.cat((expected.cos(), expected.sin()), dim=1))


def test_the_ema_weights_are_chosen_then_the_plain_ones_then_the_bare_file(tiny, model):
    bare = tiny(Dar, TINY, weights=FILE, suffix=".pt")
    assert torch.equal(model.network.patchify.weight, bare.network.patchify.weight)
    plain = tiny(Dar, TINY, weights=FILE, wrap=lambda state: {"model": official(state)["model"]})
    assert torch.equal(plain.network.patchify.weight, torch.full_like(bare.network.patchify.weight, 7.0))


def test_a_configuration_object_and_training_heads_in_the_file_are_passed_over(tiny, model, monkeypatch):
    module = types.ModuleType("config_util")
    module.Config = type("Config", (), {"__module__": "config_util"})
    monkeypatch.setitem(sys.modules, "config_util", module)

    def wrap(state):
        heads = {"quantize.codebook_used": torch.zeros(9), "diff_decoder.net.repa_out.0.weight": torch.zeros(2, 2)}
        settings = module.Config()
        settings.steps = 8
        return {"ema": {**state, **heads}, "config": settings}

    loaded = tiny(Dar, TINY, weights=FILE, wrap=wrap, suffix=".pt")
    assert torch.equal(model.encode(random_images()).indices, loaded.encode(random_images()).indices)


@pytest.mark.parametrize("extra", ["encoder.codebook", "diff_decoder.net.blocks.2.mlp.fc1.bias"])
def test_unknown_keys_are_refused(tiny, extra):
    with pytest.raises(WeightsError, match="not known"):
        tiny(Dar, TINY, weights=FILE, wrap=lambda state: {"ema": {**state, extra: torch.zeros(2)}})


def test_bfloat16_gives_almost_the_same_features_and_a_float32_image(tiny, model):
    low = tiny(Dar, TINY, weights=FILE, wrap=official, dtype="bfloat16")
    exact, rough = model.prequant(random_images()), low.prequant(random_images())
    assert rough.dtype == torch.float32
    assert (exact - rough).abs().max() < 0.1 * exact.abs().max()
    codes = model.encode(random_images())
    image = low.decode(codes)
    assert image.dtype == torch.float32
    assert (image - model.decode(codes)).abs().max() < 0.1 * image.abs().max()


@pytest.mark.parametrize(
    "codes", [Codes(indices=torch.zeros(1, 7, dtype=torch.long)), Codes(bits=torch.zeros(1, 8, 6, dtype=torch.int8))]
)
def test_codes_of_another_shape_are_refused(model, codes):
    with pytest.raises(EvalkitError, match=r"indices \[B, 8\]"):
        model.decode(codes)


def test_full_size_keys_are_the_official_ones(key_digest):
    entry = TOKENIZERS.get("d-ar-v1")
    assert key_digest(entry.cls, entry.config) == (823, "17f77dbfe79040c6")  # without the training heads
