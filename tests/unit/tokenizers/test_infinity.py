"""Infinity: official names with and without wrappers, scale schedules, bits of the residual loop and its hook."""

from functools import partial
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from helpers.near import near, same
from helpers.tensors import random_images

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.cards import tokenizer_cards
from evalkit.tokenizers.infinity import RATIOS, SCHEDULES, Infinity, InfinityConfig, finest
from evalkit.tokenizers.nets.residual_bits import decode_bits, encode_bits
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.weights.find import weights_manifest

images = partial(random_images, height=8)

SQUARE, UPRIGHT, LYING = ((1, 1), (2, 2), (4, 4)), ((1, 1), (3, 2), (6, 4)), ((1, 1), (2, 3), (4, 6))
TINY = InfinityConfig(6, TamingConfig(ch=32, mult=(1, 2), blocks=1, z=6, middle=False), (SQUARE, UPRIGHT, LYING))
FILE = "infinity_vae_d16.pth"


def wrapped(state):
    """The official names: each layer is called `conv` or `norm` inside a wrapper."""

    def name(key):
        head, _, leaf = key.rpartition(".")
        return f"{head}.{'norm' if 'norm' in head.rpartition('.')[2] else 'conv'}.{leaf}"

    return {name(key): value for key, value in state.items()}


@pytest.fixture
def model(tiny):
    return tiny(Infinity, TINY, weights=FILE, wrap=lambda state: {"vae": wrapped(state)}, suffix=".pth")


@pytest.mark.parametrize(("h", "w", "lengths"), [(8, 8, (1, 4, 16)), (12, 8, (1, 6, 24)), (8, 12, (1, 6, 24))])
def test_encode_and_decode_do_not_depend_on_the_batch(model, h, w, lengths):
    x = images(n=3, height=h, width=w)
    codes = model.encode(x)
    alone = [model.encode(x[i : i + 1]) for i in range(3)]
    assert codes.bits.shape == (3, sum(lengths), 6)
    assert codes.bits.dtype == torch.int8
    assert (codes.scale_lengths, codes.grid) == (lengths, (h // 2, w // 2))
    assert torch.equal(codes.bits, torch.cat([each.bits for each in alone]))
    assert 0.1 < codes.bits.float().mean() < 0.9
    whole = model.decode(codes)
    assert whole.shape == (3, 3, h, w)
    same(whole, torch.cat([model.decode(each) for each in alone]))
    assert torch.equal(whole, model.decode(codes))
    assert model.tokens_per_image(h, w) == sum(lengths)
    assert model.image_bits(codes) == [6.0 * sum(lengths)] * 3
    assert (model.bits_per_code(), model.native_size) == (6.0, 8)


@pytest.mark.parametrize(("side", "scales", "count"), [(256, 7, 521), (512, 10, 2521), (1024, 13, 10521)])
def test_the_schedule_follows_the_side_of_the_image(tiny, side, scales, count):
    net = TamingConfig(ch=32, mult=(1, 1, 1, 1, 1), blocks=1, z=6, middle=False)
    model = tiny(Infinity, InfinityConfig(6, net), weights=FILE)
    model.network.encoder.forward = lambda x: F.avg_pool2d(x, 16)[:, [0, 1, 2, 0, 1, 2]]
    model.network.decoder.forward = lambda h: F.interpolate(h[:, :3] * 6**0.5, scale_factor=16)
    x = images(n=1, height=2, width=2).repeat_interleave(side // 2, 2).repeat_interleave(side // 2, 3)
    codes = model.encode(x)
    assert codes.bits.shape == (1, count, 6)
    assert len(codes.scale_lengths) == scales
    assert codes.grid == (side // 16, side // 16)
    assert model.tokens_per_image(side, side) == count
    again = model.decode(model.codes(bits=codes.bits))
    assert again.shape == x.shape
    assert torch.equal(again, model.decode(codes))
    assert model.native_size == 1024


def test_bits_are_signs_of_what_the_coarser_scales_left_over():
    f = torch.tensor([[[[3.0, -1.0], [1.0, 1.0]], [[-1.0, -1.0], [-1.0, 0.0]]]])  # two channels; means 1 and -0.75
    first, second = encode_bits(f, ((1, 1), (2, 2)))
    assert first.tolist() == [[[1, 0]]]
    rest = f - torch.tensor([1.0, -1.0]).view(1, 2, 1, 1) / 2**0.5
    assert torch.equal(second, (rest > 0).flatten(2).transpose(1, 2).to(torch.int8))
    expected = (torch.tensor([1.0, -1.0]).view(1, 2, 1, 1) + (rest > 0).float() * 2 - 1) / 2**0.5
    same(decode_bits([first, second], ((1, 1), (2, 2))), expected)


def test_zero_is_a_zero_bit():
    assert encode_bits(torch.zeros(1, 3, 1, 1), ((1, 1),))[0].tolist() == [[[0, 0, 0]]]


def test_signs_stay_float32_decisions_under_autocast():
    f = torch.randn(2, 6, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = encode_bits(f, SQUARE)
        low_sum = decode_bits(low, SQUARE)
    assert all(map(torch.equal, low, encode_bits(f, SQUARE)))
    assert low_sum.dtype == torch.float32


def test_choosing_signs_is_encoding_and_other_choices_reach_the_finer_scales(model):
    asked = []

    seen = []

    def signs(scale, features):
        asked.append((scale, tuple(features.shape)))
        seen.append(features)
        return (features > 0).flatten(2).transpose(1, 2)

    def flipped_first(scale, features):
        return signs(scale, features) ^ (scale == 0)

    plain = model.encode(images()).bits
    assert torch.equal(model.encode_choosing(images(), signs).bits, plain)
    assert asked == [(0, (3, 6, 1, 1)), (1, (3, 6, 2, 2)), (2, (3, 6, 4, 4))]
    marked = model.encode_choosing(images(), flipped_first).bits
    assert torch.equal(marked[:, :1], 1 - plain[:, :1])
    assert all(not near(*pair, 1e-2) for pair in zip(seen[1:3], seen[4:], strict=True))


def test_names_with_and_without_wrappers_load_alike(tiny, model):
    plain = tiny(Infinity, TINY, weights=FILE, wrap=lambda state: {"vae": state})
    assert torch.equal(model.encode(images()).bits, plain.encode(images()).bits)


def test_vae_is_preferred_to_ema_as_the_official_loader_does(tiny, model):
    def both(state):
        return {"ema": {key: torch.full_like(value, 7.0) for key, value in wrapped(state).items()}, "vae": state}

    assert torch.equal(model.encode(images()).bits, tiny(Infinity, TINY, weights=FILE, wrap=both).encode(images()).bits)
    alone = tiny(Infinity, TINY, weights=FILE, wrap=lambda state: {"ema": wrapped(state)})
    assert torch.equal(model.encode(images()).bits, alone.encode(images()).bits)


def test_bit_tables_in_the_file_are_not_refused_and_other_keys_are(tiny):
    def tables(state):
        return {"vae": {**state, "quantizer.lfq.mask": torch.zeros(6), "quantize.lfq.zero": torch.tensor(0.0)}}

    tiny(Infinity, TINY, weights=FILE, wrap=tables)
    with pytest.raises(WeightsError, match=r"encoder\.mid\.attn_1\.q\.weight"):
        tiny(
            Infinity,
            TINY,
            weights=FILE,
            wrap=lambda state: {"vae": {**state, "encoder.mid.attn_1.q.weight": torch.zeros(2)}},
        )


def test_given_bits_find_their_schedule_by_their_number(model):
    bits = torch.randint(0, 2, (1, 21, 6), generator=torch.Generator().manual_seed(3))
    assert model.decode(model.codes(bits=bits)).shape == (1, 3, 8, 8)


def test_given_bits_that_fill_two_schedules_need_a_grid(model):
    bits = torch.randint(0, 2, (1, 31, 6), generator=torch.Generator().manual_seed(3))
    with pytest.raises(EvalkitError, match=r"maps of 6x4 or 4x6; give codes\(\.\.\., grid"):
        model.decode(model.codes(bits=bits))
    assert model.decode(model.codes(bits=bits, grid=(6, 4))).shape == (1, 3, 12, 8)
    assert model.decode(model.codes(bits=bits, grid=(4, 6))).shape == (1, 3, 8, 12)


@pytest.mark.parametrize(
    "codes",
    [
        Codes(bits=torch.zeros(1, 20, 6, dtype=torch.int8)),
        Codes(bits=torch.zeros(1, 21, 5, dtype=torch.int8)),
        Codes(indices=torch.zeros(1, 21, dtype=torch.long)),
        Codes(bits=torch.zeros(1, 21, 6, dtype=torch.int8), grid=(6, 4)),
    ],
)
def test_codes_of_another_shape_are_refused(model, codes):
    with pytest.raises(EvalkitError, match=r"decodes bits \[B, N, 6\]"):
        model.decode(codes)


@pytest.mark.parametrize(("h", "w", "message"), [(10, 10, "squares of 8 px"), (9, 8, "multiples of 2")])
def test_sizes_without_a_schedule_are_refused(model, h, w, message):
    for call in (
        lambda: model.encode(images(n=1, height=h, width=w)),
        lambda: model.tokens_per_image(h, w),
        lambda: model.encode_choosing(images(n=1, height=h, width=w), lambda k, f: f),
    ):
        with pytest.raises(EvalkitError, match=message):
            call()


def test_the_official_schedules_grow_to_the_sizes_that_name_them():
    for grid, scales in SCHEDULES.items():
        assert scales[-1] == grid
        assert scales[0] == (1, 1)
        assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(scales))
        assert SCHEDULES[grid[::-1]][-2] == scales[-2][::-1]
    assert len(SCHEDULES) == 4 * (2 * len(RATIOS) - 1)
    assert [len(SCHEDULES[(n, n)]) for n in (16, 32, 48, 64)] == [7, 10, 12, 13]
    assert [sum(h * w for h, w in SCHEDULES[(n, n)]) for n in (16, 32, 64)] == [521, 2521, 10521]


def test_full_size_keys_are_the_official_ones(key_digest):
    entry = TOKENIZERS.get("infinity-d32")

    class Wrapped(Infinity):
        @classmethod
        def build(cls, config):
            network = super().build(config)
            network.state_dict = lambda state=network.state_dict: wrapped(state())
            return network

    assert key_digest(Wrapped, entry.config) == (268, "21abf1f27f703883")  # the official class without its two tables


def test_the_tokenizer_of_the_8b_model_has_blocks_of_8_px_and_the_same_sizes():
    card, entry = tokenizer_cards()["infinity-d56-f8"], TOKENIZERS.get("infinity-d56-f8")
    assert card.weights == entry.weights == "infinity_vae_d56_f8_14_patchify.pth"
    assert card.weights in weights_manifest()
    with torch.device("meta"):
        network = entry.cls.build(entry.config)
    model = Infinity("f8", entry.config, network, torch.device("meta"), torch.float32)
    assert (model.multiple, model.native_size, model.bits_per_code()) == (8, 1024, 14.0)
    assert model.tokens_per_image(256, 256) == card.tokens == 4 * 521
    assert model.scale_lengths((32, 32))[:2] == (4, 16)
    assert card.parameters_m == pytest.approx(sum(p.numel() for p in network.parameters()) / 1e6, abs=0.006)


@pytest.mark.parametrize("grid", SCHEDULES)
def test_smaller_schedules_are_the_first_scales_of_the_finest(grid):
    scales = SCHEDULES[grid]
    assert SCHEDULES[finest(grid)][: len(scales)] == scales
    assert len(SCHEDULES[finest(grid)]) == 13
