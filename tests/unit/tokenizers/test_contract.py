"""What every tokenizer that is a network promises, tried on a small one of each family, and what every card says."""

import pytest
import torch
from helpers.filled import normal, tokenizer
from helpers.near import near, same
from helpers.small.families import FAMILIES
from helpers.small.images import image

from evalkit.encoders.features.vit_dinov2 import DinoV2
from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.cards import tokenizer_cards
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.tokenizers.shapes import NoiseTokenizer
from evalkit.weights.find import weights_manifest

SMALL = {
    f"{family.removeprefix('tokenizer-')}{'/' if name else ''}{name}": case
    for family, cases in FAMILIES.items()
    if family.startswith("tokenizer-")
    for name, case in cases.items()
}
SIDES = {"infinity": (16, 16), "var": (16, 16), "hita": (12, 12), "titok/latents": (8, 8), "flexvar": (16, 16)}
NOISY = [name for name, case in SMALL.items() if issubclass(case.cls, NoiseTokenizer)]
TRAINED = [name for name in TOKENIZERS if TOKENIZERS.get(name).weights]
OUTLINE = NetworkTokenizer.outline.__func__  # of networks that their configuration describes, without a folder
BUILT = [name for name in TRAINED if TOKENIZERS.get(name).cls.outline.__func__ is OUTLINE]


def built(name):
    case = SMALL[name]
    model = tokenizer(case.cls, case.config, case.gains if name.startswith("titok") else ())
    if name == "hita":
        torch.manual_seed(0)
        model.backbone = DinoV2(case.config.backbone).eval().requires_grad_(False)
    return model


@pytest.fixture(scope="module", params=sorted(SMALL))
def small(request):
    """(a small model, three different images of a size that it takes)."""
    side = SIDES.get(request.param, (16, 16))
    x = torch.rand(3, 3, *side, generator=torch.Generator().manual_seed(1))
    return built(request.param), (4 * (x - 0.5) + normal("tint", 3, 3, 1, 1)).sigmoid()


def row(codes, i):
    """The codes of image i alone."""
    kept = {
        name: getattr(codes, name)[i : i + 1]
        for name in ("indices", "bits", "latent")
        if getattr(codes, name) is not None
    }
    return Codes(**kept, scale_lengths=codes.scale_lengths, grid=codes.grid)


def test_encode_and_decode_do_not_depend_on_the_batch(small):
    model, x = small
    codes = model.encode(x)
    alone = [model.encode(x[i : i + 1]) for i in range(3)]
    together = torch.cat([each.values for each in alone])
    assert codes.values.dtype == together.dtype
    same(codes.values, together) if codes.latent is not None else torch.testing.assert_close(
        codes.values, together, rtol=0, atol=0
    )
    assert len(torch.unique(codes.values, dim=0)) > 1
    whole = model.decode(codes, seed=3)
    halved = getattr(model.config, "legacy", False)  # the small pixel decoder of two stages has one level less
    assert whole.shape == (x[..., ::2, ::2].shape if halved else x.shape)
    assert torch.isfinite(whole).all()
    same(whole, torch.cat([model.decode(row(codes, i), seed=3) for i in range(3)]))


def test_codes_have_the_number_and_the_range_that_the_model_states(small):
    model, x = small
    codes = model.encode(x)
    count = model.tokens_per_image(*x.shape[2:])
    if codes.latent is None:
        assert codes.values.shape[:2] == (3, count)
        assert codes.values.min() >= 0
        assert codes.values.max() < (2 if codes.bits is not None else model.vocab_size)
        assert model.image_bits(codes) == pytest.approx([count * model.bits_per_code()] * 3)


def test_decode_depends_on_the_codes_and_on_nothing_that_was_drawn_before(small):
    model, x = small
    codes = model.encode(x)
    first = model.decode(codes, seed=3)
    torch.manual_seed(99)
    assert torch.equal(first, model.decode(codes, seed=3))
    if model.deterministic:
        assert torch.equal(first, model.decode(codes, seed=4))
    assert not near(first[:1], first[1:2], 1e-4)


def test_lower_precision_keeps_the_codes(small):
    model, x = small
    low = type(model)("low", model.config, model.network, torch.device("cpu"), torch.bfloat16)
    if hasattr(model, "backbone"):
        low.backbone = model.backbone
    assert torch.equal(model.encode(x).values, low.encode(x).values)


def test_tensors_that_are_no_images_and_sides_that_do_not_fit_are_one_sentence(small):
    model, x = small
    with pytest.raises(EvalkitError, match=r"\[B, 3, H, W\]; shape"):
        model.encode(x[:, :1])
    odd = torch.rand(1, 3, x.shape[2] + 1, x.shape[3])
    if model.multiple > 1 or model.fixed_size:
        with pytest.raises(EvalkitError, match=r"images only|multiples of"):
            model.encode(odd)


@pytest.fixture(scope="module", params=NOISY)
def noisy(request):
    """(a small model whose decoder starts from noise, codes of three images)."""
    model, x = built(request.param), image()
    return model, model.encode(torch.cat([x, x.flip(3), 1 - x]))


def test_the_noise_of_a_seed_gives_the_image_of_that_seed(noisy):
    model, codes = noisy
    noise = torch.cat([model.initial_noise(seed) for seed in (5, 6, 7)])
    whole = model.decode(codes, noise=noise)
    for i, seed in enumerate((5, 6, 7)):
        same(whole[i : i + 1], model.decode(row(codes, i), seed=seed))
    assert torch.equal(model.decode(codes, noise=noise[:1]), model.decode(codes, seed=5))
    drawn = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    assert torch.equal(noise[:1], drawn)
    assert not model.deterministic


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (3, 3, 8, 16), (3, 16, 16)])
def test_noise_of_another_shape_is_refused(noisy, shape):
    model, codes = noisy
    with pytest.raises(EvalkitError, match="starts from noise"):
        model.decode(codes, noise=torch.zeros(shape))


@pytest.mark.parametrize("name", TRAINED)
def test_a_card_says_where_the_weights_lie(name):
    card, entry = tokenizer_cards()[name], TOKENIZERS.get(name)
    assert card.weights == entry.weights
    assert weights_manifest()[entry.weights].source or weights_manifest()[entry.weights].where
    assert issubclass(entry.cls, NetworkTokenizer)


@pytest.mark.parametrize("name", BUILT)
def test_a_card_states_the_size_of_the_network(name):
    card, entry = tokenizer_cards()[name], TOKENIZERS.get(name)
    with torch.device("meta"):
        network = entry.cls.build(entry.config)
        model = entry.cls(name, entry.config, network, torch.device("meta"), torch.float32)
    count = sum(parameter.numel() for parameter in network.parameters())
    more = 0.1 if card.family in ("gigatok", "hita") else 0.0  # their figures count what serves training only
    assert count / 1e6 - 0.01 <= card.parameters_m <= count / 1e6 * (1 + more) + 0.01
    assert card.native_size == model.native_size
    assert card.stochastic is not model.deterministic
    if card.tokens is not None:
        sides = (model.native_size,) if model.fixed_size else (256, model.native_size)
        assert card.tokens in [model.tokens_per_image(side, side) for side in sides]
    bits = card.codebook.partition(",")[0]
    if bits.startswith("2^"):
        assert int(bits[2:]) == model.bits_per_code()
