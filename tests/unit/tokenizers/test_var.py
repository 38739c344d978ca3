"""VAR: official names, the residual loop over the scales and its hook, shared convolutions, images clamped inside."""

import pytest
import torch
from helpers.near import near
from helpers.tensors import random_images

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.residual import PhiBank
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.tokenizers.var import Var, VarConfig

NET = TamingConfig(ch=32, mult=(1, 1, 2), blocks=1, z=8, attention=frozenset({2}), fused=True)
TINY = VarConfig(scales=(1, 2, 3, 4), net=NET, codes=16)
FILE = "vae_ch160v4096z32.pth"


@pytest.fixture
def model(tiny):
    return tiny(Var, TINY, weights=FILE, suffix=".pth")


def test_finer_scales_code_what_the_coarser_ones_left_over(model):
    x, quantize = random_images() * 2 - 1, model.network.quantize
    f = model.network.quant_conv(model.network.encoder(x))
    parts = quantize.encode(f, TINY.scales)
    coarse = quantize.decode([*parts[:-1], torch.zeros_like(parts[-1])], TINY.scales) - quantize.grow(
        torch.zeros_like(parts[-1]), 3, TINY.scales, (4, 4)
    )
    assert torch.equal(parts[-1], quantize.indices(f - coarse))
    assert not near(f - coarse, f, 1e-2)


def test_choosing_the_nearest_codes_is_encoding(model):
    asked = []

    def nearest(scale, features):
        asked.append((scale, tuple(features.shape)))
        return model.network.quantize.indices(features)

    chosen = model.encode_choosing(random_images(), nearest)
    assert torch.equal(chosen.indices, model.encode(random_images()).indices)
    assert asked == [(i, (3, 8, side, side)) for i, side in enumerate(TINY.scales)]


def test_a_choice_at_a_coarse_scale_reaches_the_finer_ones(model):
    seen = []

    def odd_first(scale, features, odd=True):
        seen.append(features)
        return model.network.quantize.indices(features) ^ (odd and scale == 0)

    plain = model.encode_choosing(
        random_images(), lambda scale, features: odd_first(scale, features, odd=False)
    ).indices
    marked = model.encode_choosing(random_images(), odd_first).indices
    assert torch.equal(marked[:, :1], plain[:, :1] ^ 1)
    assert all(not near(*pair, 1e-2) for pair in zip(seen[1:4], seen[5:], strict=True))


def test_ten_scales_share_four_convolutions_by_the_nearest_tick():
    bank = PhiBank(2, 4, 0.5)
    picked = [list(bank.qresi_ls).index(bank.at(k, 10)) for k in range(10)]
    assert picked == [0, 0, 1, 1, 1, 2, 2, 3, 3, 3]


def test_images_are_clamped_as_the_official_decode_does(tiny):
    def louder(state):
        return {**state, "decoder.conv_out.bias": torch.tensor([5.0, -5.0, 0.0])}

    image = tiny(Var, TINY, weights=FILE, wrap=louder).decode(Codes(indices=torch.zeros(1, 30, dtype=torch.long)))
    assert torch.equal(image[:, 0], torch.ones(1, 16, 16))
    assert torch.equal(image[:, 1], torch.zeros(1, 16, 16))
    assert 0 < image[:, 2].mean() < 1


def test_the_training_statistic_in_the_file_is_not_needed_and_not_refused(tiny, model):
    full = tiny(Var, TINY, weights=FILE, wrap=lambda s: {**s, "quantize.ema_vocab_hit_SV": torch.zeros(10, 16)})
    assert torch.equal(model.encode(random_images()).indices, full.encode(random_images()).indices)


def test_the_code_search_stays_in_float32_under_autocast(tiny, model):
    low = tiny(Var, TINY, weights=FILE, dtype="bfloat16")
    seen = []
    low.encode_choosing(random_images(), lambda k, f: seen.append(f.dtype) or low.network.quantize.indices(f))
    assert set(seen) == {torch.float32}
    f = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = low.network.quantize.encode(f, TINY.scales)
    assert all(map(torch.equal, under, model.network.quantize.encode(f, TINY.scales)))


@pytest.mark.parametrize(
    "codes",
    [Codes(indices=torch.zeros(1, 16, dtype=torch.long)), Codes(bits=torch.zeros(1, 30, 4, dtype=torch.int8))],
)
def test_codes_of_one_scale_alone_are_refused(model, codes):
    with pytest.raises(EvalkitError, match="30 codes per image"):
        model.decode(codes)


def test_full_size_keys_are_the_official_ones(key_digest):
    for name, total in (("var", 680), ("var-512", 2240), ("var-256", 680)):
        entry = TOKENIZERS.get(name)
        assert key_digest(entry.cls, entry.config) == (323, "bb2dbc1960532681")  # without the training statistic
        assert sum(side * side for side in entry.config.scales) == total
