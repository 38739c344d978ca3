"""Encoding with some of the codes only, as watermarks after generation need it, and the features that codes come from."""

import math

import pytest
import torch
from helpers.near import same
from helpers.tensors import random_images

from evalkit.errors import EvalkitError
from evalkit.tokenizers.bsqvit import BsqVit, BsqVitConfig
from evalkit.tokenizers.codec import Codec, CodecConfig
from evalkit.tokenizers.llamagen import LlamaGen, LlamaGenConfig
from evalkit.tokenizers.nets.quantize import Codebook
from evalkit.tokenizers.nets.search import Among, nearest_code, restricted
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.tokenizers.taming import Taming, VqganConfig
from evalkit.tokenizers.var import Var, VarConfig

NET = TamingConfig(ch=32, mult=(1, 1, 2), blocks=1, z=8, attention=frozenset({2}))
FUSED = TamingConfig(ch=32, mult=(1, 1, 2), blocks=1, z=8, attention=frozenset({2}), fused=True)
FAMILIES = {
    "llamagen": (LlamaGen, LlamaGenConfig(mult=(1, 1, 2), codes=64, ch=32, blocks=1, z=8), "vq_ds16_c2i.pt"),
    "taming": (Taming, VqganConfig(NET, codes=64, code_dim=8), "taming-f16-16384"),
    "var": (Var, VarConfig(scales=(1, 2, 3, 4), net=FUSED, codes=64), "vae_ch160v4096z32.pth"),
}


def half(v, seed=0):
    return torch.rand(v, generator=torch.Generator().manual_seed(seed)) < 0.5


def janus(path):
    transformers = pytest.importorskip("transformers")
    config = transformers.JanusVQVAEConfig(
        base_channels=32, channel_multiplier=[1, 2], num_res_blocks=1, num_embeddings=60, num_patches=4
    )
    transformers.JanusVQVAE(config).save_pretrained(path)
    return "janus"


def emu3(path):
    transformers = pytest.importorskip("transformers")
    config = transformers.Emu3VQVAEConfig(
        base_channels=32, channel_multiplier=[1, 2], num_res_blocks=1, attn_resolutions=[1], hidden_size=64,
        codebook_size=60, temporal_downsample_factor=4,
    )  # fmt: skip
    transformers.Emu3VQVAE(config).save_pretrained(path)
    return "emu3"


def vq_diffusion(path):
    diffusers = pytest.importorskip("diffusers")
    diffusers.VQModel(
        block_out_channels=(8, 8), norm_num_groups=4, num_vq_embeddings=4096, latent_channels=8,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    ).save_pretrained(path)  # fmt: skip
    return "vq-diffusion"


FOLDERS = {"janus": janus, "emu3": emu3, "vq-diffusion": vq_diffusion}


@pytest.fixture(params=[*FAMILIES, *FOLDERS, "world-vq"])
def model(request, tiny, tmp_path):
    if request.param == "world-vq":
        return load_tokenizer("world-vq", device="cpu")
    if request.param in FOLDERS:
        torch.manual_seed(0)
        return load_tokenizer(FOLDERS[request.param](tmp_path / "folder"), tmp_path / "folder", device="cpu")
    cls, config, weights = FAMILIES[request.param]
    return tiny(cls, config, weights=weights)


def test_only_allowed_codes_are_found_and_those_allowed_already_stay(model):
    allowed = half(model.vocab_size)
    plain, marked = model.encode(random_images()), model.encode_among(random_images(), allowed)
    assert allowed[marked.indices].all()
    assert not allowed[plain.indices].all()
    assert marked.scale_lengths == plain.scale_lengths
    assert marked.grid == plain.grid
    if not plain.scale_lengths:
        stays = allowed[plain.indices]
        assert torch.equal(marked.indices[stays], plain.indices[stays])
    assert torch.equal(model.encode(random_images()).indices, plain.indices)  # nothing is left behind


def test_all_codes_allowed_is_plain_encoding(model):
    allowed = torch.ones(model.vocab_size, dtype=torch.bool)
    assert torch.equal(model.encode_among(random_images(), allowed).indices, model.encode(random_images()).indices)


def test_each_image_can_have_a_list_of_its_own(model):
    lists = torch.stack([half(model.vocab_size, seed) for seed in range(3)])
    together = model.encode_among(random_images(), lists).indices
    alone = [model.encode_among(random_images()[i : i + 1], lists[i]).indices for i in range(3)]
    assert torch.equal(together, torch.cat(alone))


def test_each_place_can_have_a_list_of_its_own(model):
    plain = model.encode(random_images())
    count = plain.indices.shape[1]
    shared = torch.stack([half(model.vocab_size, seed) for seed in range(3)])
    lists = shared[:, None].repeat(1, count, 1)
    if plain.scale_lengths:
        with pytest.raises(EvalkitError, match="several scales"):
            model.encode_among(random_images(), lists)
        return
    assert torch.equal(
        model.encode_among(random_images(), lists).indices, model.encode_among(random_images(), shared).indices
    )
    lists[:, ::2] = ~lists[:, ::2]
    marked = model.encode_among(random_images(), lists).indices
    assert lists.gather(2, marked[..., None]).all()
    stays = lists.gather(2, plain.indices[..., None])[..., 0]
    assert torch.equal(marked[stays], plain.indices[stays])


def test_no_cost_allowed_or_no_share_allowed_changes_nothing(model):
    allowed, plain = half(model.vocab_size), model.encode(random_images()).indices
    assert torch.equal(model.encode_among(random_images(), allowed, most_cost=-1.0).indices, plain)
    assert torch.equal(model.encode_among(random_images(), allowed, fraction=0.0).indices, plain)


def test_a_limit_exchanges_the_cheapest_first():
    generator = torch.Generator().manual_seed(3)
    book = Codebook(40, 4, l2=False)
    book.embedding.weight.data = torch.randn(40, 4, generator=generator)
    z, allowed = torch.randn(2, 4, 5, 5, generator=generator), half(40)
    flat, table = z.permute(0, 2, 3, 1).reshape(2, 25, 4), book.table()
    plain = book.indices(z)
    with restricted([book], Among(allowed)):
        full = book.indices(z)
    cost = ((flat - table[full]).square() - (flat - table[plain]).square()).sum(-1)
    assert (cost >= 0).all()
    wrong = ~allowed[plain]
    with restricted([book], Among(allowed, fraction=0.5)):
        some = book.indices(z)
    for b in range(2):
        moved = some[b] != plain[b]
        assert moved.sum() == round(0.5 * int(wrong[b].sum()))
        assert cost[b][moved].max() <= cost[b][wrong[b] & ~moved].min()
    most = float(cost[wrong].detach().median())
    with restricted([book], Among(allowed, most_cost=most)):
        cheap = book.indices(z)
    assert torch.equal(cheap != plain, wrong & (cost <= most))


def test_the_exchange_is_made_in_the_quantisers_own_metric():
    z = torch.tensor([[1.0, 0.0]])
    table = torch.tensor([[9.0, 0.0], [0.9, 0.3], [5.0, 1.0], [-1.0, 0.0]])
    allowed = torch.tensor([False, True, True, True])
    assert nearest_code(z, table, allowed=allowed).tolist() == [1]  # squared distance
    assert nearest_code(z, table, allowed=allowed, by_dot=True).tolist() == [2]  # largest dot product
    sphere = torch.nn.functional.normalize(table, dim=1)
    assert nearest_code(z, sphere, allowed=allowed).tolist() == [2]  # smallest angle
    book = Codebook(4, 2, l2=False, by_dot=True)
    book.embedding.weight.data = table
    with restricted([book], Among(allowed, most_cost=4.0)):
        assert book.indices(z.reshape(1, 2, 1, 1)).tolist() == [[2]]  # costs 9 - 5
    with restricted([book], Among(allowed, most_cost=3.9)):
        assert book.indices(z.reshape(1, 2, 1, 1)).tolist() == [[0]]


def test_var_makes_good_at_finer_scales_what_an_exchange_costs_at_coarse_ones(tiny):
    cls, config, weights = FAMILIES["var"]
    model = tiny(cls, config, weights=weights)
    allowed = half(64)
    quantize = model.network.quantize
    inside = model.encode_among(random_images(), allowed).indices

    def nearest(scale, features):
        flat = features.permute(0, 2, 3, 1).reshape(-1, 8)
        return nearest_code(flat, quantize.table(), allowed=allowed).reshape(3, -1)

    chosen = model.encode_choosing(random_images(), nearest).indices
    assert torch.equal(inside, chosen)
    after = model.encode(random_images()).indices
    assert not torch.equal(inside[:, 1:][allowed[after[:, 1:]]], after[:, 1:][allowed[after[:, 1:]]])


def test_lists_of_the_wrong_kind_are_refused(model):
    v = model.vocab_size
    for wrong in (torch.ones(v), torch.ones(v + 1).bool(), torch.zeros(v).bool(), torch.ones(2, v).bool()):
        with pytest.raises(EvalkitError, match=rf"allowed is bool \[{v}\]"):
            model.encode_among(random_images(), wrong)


def test_tokenizers_without_a_codebook_say_so(tiny):
    codec = Codec("jpeg-q75", CodecConfig("JPEG", 75))
    with pytest.raises(EvalkitError, match="searches no codebook"):
        codec.encode_among(random_images(), half(256))
    with pytest.raises(EvalkitError, match="has no gradients"):
        codec.features(random_images())
    signs = tiny_bsq(tiny)
    with pytest.raises(EvalkitError, match="searches no codebook"):
        signs.encode_among(random_images(2), half(256))


def tiny_bsq(tiny):
    config = BsqVitConfig(5, size=16, patch=4, width=32, layers=2, heads=4, hidden=64)
    return tiny(BsqVit, config, weights="bsqvit-b18")


def test_features_of_bits_are_what_the_encoder_puts_out(tiny):
    model = tiny_bsq(tiny)
    x = random_images(2).requires_grad_()
    (gradient,) = torch.autograd.grad(model.features(x).square().sum(), x)
    assert gradient.abs().sum() > 0


def test_features_lead_to_the_codes_and_have_gradients(model):
    x = random_images().requires_grad_()
    found = model.features(x)
    assert found.shape[0] == 3
    assert math.isfinite(float(found.detach().abs().sum()))
    (gradient,) = torch.autograd.grad(found.square().sum() + found.sum(), x)
    assert gradient.shape == x.shape
    assert (gradient.abs().amax(dim=(1, 2, 3)) > 0).all()
    same(model.features(random_images()[1:2]), found[1:2].detach(), 1e-4)
