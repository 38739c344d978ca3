import pytest
import torch
from torch import nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.flexvar import FlexVar
from evalkit.tokenizers.llamagen import LlamaGen, LlamaGenConfig
from evalkit.tokenizers.mar import MarKl16
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.taming import Taming, VqganConfig

SMALL = LlamaGenConfig(mult=(1, 2), codes=50, code_dim=4, ch=32, blocks=1, z=32)
NET = TamingConfig(ch=32, mult=(1, 2), blocks=1, z=32, attention=frozenset({1}))
CASES = {
    "llamagen": (LlamaGen, SMALL),
    "taming": (Taming, VqganConfig(NET, codes=50, code_dim=8)),
    "mar": (MarKl16, TamingConfig(ch=32, mult=(1, 2), blocks=1, z=4, attention=frozenset({1}), moments=True)),
}


@pytest.fixture(params=sorted(CASES))
def case(request):
    cls, config = CASES[request.param]
    torch.manual_seed(0)
    return cls("small", config, cls.build(config), torch.device("cpu"), torch.float32)


def test_shapes_and_counts_fit_for_images_that_are_not_square(case):
    x = torch.rand(2, 3, 8, 12)
    codes = case.encode(x)
    assert case.decode(codes).shape == x.shape
    assert case.tokens_per_image(8, 12) == 24
    if codes.indices is not None:
        assert codes.indices.shape == (2, 24)
        assert codes.grid == (4, 6)
        assert case.image_bits(codes)[0] == pytest.approx(24 * case.bits_per_code())


def test_given_codes_are_decoded_as_a_square(case):
    codes = case.encode(torch.rand(1, 3, 8, 8))
    field = "indices" if codes.indices is not None else "latent"
    assert torch.equal(case.decode(case.codes(**{field: codes.values})), case.decode(codes))


def test_sides_that_do_not_fit_and_wrong_shapes_are_errors(case):
    with pytest.raises(EvalkitError, match="multiples of 2"):
        case.encode(torch.rand(1, 3, 7, 8))
    with pytest.raises(EvalkitError, match=r"\[B, 3, H, W\]"):
        case.encode(torch.rand(3, 8, 8))


def test_codes_that_fill_no_square_ask_for_the_grid(case):
    if case.vocab_size is None:
        pytest.skip("continuous codes carry their own shape")
    with pytest.raises(EvalkitError, match="do not fill a square"):
        case.decode(case.codes(indices=torch.zeros(1, 6, dtype=torch.long)))
    assert case.decode(case.codes(indices=torch.zeros(1, 6, dtype=torch.long), grid=(2, 3))).shape == (1, 3, 4, 6)


def test_low_precision_keeps_most_codes():
    torch.manual_seed(0)
    network = LlamaGen.build(SMALL)
    full = LlamaGen("small", SMALL, network, torch.device("cpu"), torch.float32)
    half = LlamaGen("small", SMALL, network, torch.device("cpu"), torch.bfloat16)
    x = torch.rand(2, 3, 16, 16)
    assert (full.encode(x).indices == half.encode(x).indices).float().mean() > 0.9
    assert half.decode(half.encode(x)).dtype == torch.float32


def test_flexvar_codes_each_scale_by_itself_and_decodes_the_finest():
    torch.manual_seed(0)
    config = LlamaGenConfig(mult=(1, 2), codes=50, code_dim=4, ch=32, blocks=1, z=32)
    model = FlexVar("flexvar", config, FlexVar.build(config), torch.device("cpu"), torch.float32)
    x = torch.rand(2, 3, 32, 32)
    codes = model.encode(x)
    assert codes.indices.shape == (2, 680)
    assert codes.scale_lengths == tuple(s * s for s in (1, 2, 3, 4, 5, 6, 8, 10, 13, 16))
    assert model.tokens_per_image(32, 32) == 680
    whole, finest = model.decode(codes), model.decode(model.codes(indices=codes.indices[:, -256:]))
    assert torch.equal(whole, finest)
    assert torch.equal(model.decode(model.codes(indices=codes.indices)), whole)
    plain = LlamaGen("plain", config, model.network, torch.device("cpu"), torch.float32)
    assert torch.equal(plain.encode(x).indices, codes.indices[:, -256:])


def test_official_names_of_llamagen():
    names = dict(LlamaGen.build(LlamaGenConfig(ch=32, z=32)).named_parameters())
    for key in (
        "encoder.conv_blocks.4.attn.1.proj_out.weight",
        "encoder.conv_blocks.0.downsample.conv.weight",
        "encoder.mid.1.q.weight",
        "decoder.conv_blocks.1.res.0.nin_shortcut.weight",
        "decoder.conv_blocks.3.upsample.conv.bias",
        "quantize.embedding.weight",
        "post_quant_conv.bias",
    ):
        assert key in names
    assert isinstance(LlamaGen.build(SMALL), nn.Module)
    assert len(names) == 343
