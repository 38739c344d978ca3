"""FlowMo: official names and EMA, the order of the bits, the sampler, and results that depend on the seed alone."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.near import near, same
from helpers.tensors import random_images

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.flowmo import FlowMo, FlowMoConfig, FlowSampler
from evalkit.tokenizers.nets.flowmo import FluxSize
from evalkit.tokenizers.registry import TOKENIZERS

TINY = FlowMoConfig(
    code_dim=6,
    bits=3,
    slots=4,
    size=16,
    encoder=FluxSize(32, 2, (4, 6, 6)),
    decoder=FluxSize(48, 2, (4, 10, 10)),
    sampler=FlowSampler(steps=5, power=1.0),
)


def official(state):
    wrong = {key: torch.full_like(value, 7.0) for key, value in state.items()}
    return {"model_state_dict": wrong, "model_ema_state_dict": state, "total_steps": 3}


@pytest.fixture
def model(tiny):
    return tiny(FlowMo, TINY, weights="flowmo-lo", wrap=official, suffix=".pth")


def test_each_image_starts_from_its_own_noise(model):
    codes = model.encode(random_images())
    noise = torch.cat([model.initial_noise(seed) for seed in (5, 6, 7)])
    whole = model.decode(codes, noise=noise)
    for i, seed in enumerate((5, 6, 7)):
        alone = model.decode(model.codes(indices=codes.indices[i : i + 1]), seed=seed)
        same(whole[i : i + 1], alone)


def test_the_ema_weights_are_chosen_and_no_others(tiny, model):
    bare = tiny(FlowMo, TINY, weights="flowmo-lo", suffix=".pth")
    assert torch.equal(model.network.encoder.img_in.weight, bare.network.encoder.img_in.weight)
    with pytest.raises(WeightsError, match="missing"):
        tiny(FlowMo, TINY, weights="flowmo-lo", wrap=lambda state: {"model_state_dict": state})


@pytest.mark.parametrize("extra", ["encoder.codebook", "quantizer.mask"])
def test_unknown_keys_are_refused(tiny, extra):
    def wrap(state):
        return {"model_ema_state_dict": {**state, extra: torch.zeros(2)}}

    with pytest.raises(WeightsError, match=extra):
        tiny(FlowMo, TINY, weights="flowmo-lo", wrap=wrap)


def test_indices_are_little_endian_over_strided_channels(model):
    bits = torch.zeros(1, 4, 6, dtype=torch.int8)
    bits[0, 1, 2 * 2 + 1] = 1  # channel d * 2 + j of slot n is bit d of index n * 2 + j
    from_bits = model.signs(model.codes(bits=bits))
    indices = torch.zeros(1, 8)
    indices[0, 1 * 2 + 1] = 2**2
    assert torch.equal(from_bits, model.signs(model.codes(indices=indices)))
    assert from_bits.sum() == 4 - 4 * 6 + 2
    assert from_bits[..., -1].eq(1).all()


def test_codes_are_the_signs_of_the_code(model):
    code = model.prequant(random_images())
    assert code.shape == (3, 4, 6)
    assert torch.equal(model.signs(model.encode(random_images()))[..., :-1], torch.where(code > 0, 1.0, -1.0))


def by_hand(model, codes, noise):
    """The sampler written out, from single velocities; the unconditional one needs the network itself."""
    blank = torch.zeros(len(codes), 4, 7)
    z = noise.clone()
    for k in range(5, 0, -1):
        t = k / 5
        v = model.velocity(codes, z, t)
        if 0.17 / 1.17 <= t <= 1.02 / 2.02:
            with torch.no_grad():
                free = model.network.decoder.velocity(z, blank, torch.full((len(codes),), t))
            v = free + 1.5 * (v - free)
        z = z - v / 5
    return (z.clamp(-1, 1) + 1) / 2


def test_decode_takes_euler_steps_with_guidance_in_its_interval(model):
    codes, noise = model.encode(random_images()), torch.cat([model.initial_noise(s) for s in (1, 2, 3)])
    same(model.decode(codes, noise=noise), by_hand(model, codes, noise))


def test_guidance_of_one_is_no_guidance(tiny, model):
    plain = replace(TINY, sampler=replace(TINY.sampler, guidance=1.0))
    other = tiny(FlowMo, plain, weights="flowmo-lo", wrap=official)
    codes = model.encode(random_images())
    z = model.initial_noise(0).expand(3, -1, -1, -1)
    for k in range(5, 0, -1):
        z = z - other.velocity(codes, z, k / 5) / 5
    same(other.decode(codes), (z.clamp(-1, 1) + 1) / 2)
    assert not near(other.decode(codes), model.decode(codes), 1e-4)


def test_the_official_schedule_guides_six_of_its_25_steps():
    sampler = FlowSampler()
    times = sampler.times()
    assert times.dtype == torch.float32
    expected = torch.tensor([math.pow(k / 25, 4) for k in range(25, -1, -1)])
    same(times, expected)
    guided = [25 - i for i, t in enumerate(times[:-1].tolist()) if sampler.guided(t)]
    assert guided == [21, 20, 19, 18, 17, 16]


def test_the_velocity_depends_on_state_code_and_time(model):
    codes, z = model.encode(random_images()), model.initial_noise(0).expand(3, -1, -1, -1)
    v = model.velocity(codes, z, 0.5)
    flipped = model.codes(indices=7 - codes.indices)
    for other in (model.velocity(codes, z, 0.6), model.velocity(flipped, z, 0.5), model.velocity(codes, -z, 0.5)):
        assert not near(v, other, 1e-4)


def test_encoding_in_bfloat16_gives_almost_the_same_code(tiny, model):
    low = tiny(FlowMo, TINY, weights="flowmo-lo", wrap=official, dtype="bfloat16")
    exact, rough = model.prequant(random_images()), low.prequant(random_images())
    assert rough.dtype == torch.float32
    assert (exact - rough).abs().max() < 0.1 * exact.abs().max()
    assert low.decode(low.encode(random_images())).dtype == torch.float32


@pytest.mark.parametrize(
    "codes",
    [
        Codes(indices=torch.zeros(1, 7, dtype=torch.long)),
        Codes(bits=torch.zeros(1, 8, 3, dtype=torch.int8)),
        Codes(latent=torch.zeros(1, 4, 6)),
    ],
)
def test_codes_of_another_shape_are_refused(model, codes):
    with pytest.raises(EvalkitError, match=r"indices \[B, 8\] or bits \[B, 4, 6\]"):
        model.decode(codes)


@pytest.mark.parametrize(("name", "digest"), [("flowmo-lo", "0a37d88647782536"), ("flowmo-hi", "73555fbf41cde2b2")])
def test_full_size_keys_are_the_official_ones(key_digest, name, digest):
    entry = TOKENIZERS.get(name)
    assert key_digest(entry.cls, entry.config) == (608, digest)
