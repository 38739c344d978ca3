"""MaskBit and VQGAN+: official names, little-endian bits, batch invariance, files with and without the bit tables."""

import pytest
import torch
from helpers.near import same

from evalkit.errors import WeightsError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.cards import tokenizer_cards
from evalkit.tokenizers.maskbit import MaskBit, MaskBitConfig
from evalkit.tokenizers.nets.bits import signs_of, signs_to_indices
from evalkit.tokenizers.nets.maskgit import MaskGitConfig
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.weights.find import weights_manifest

BITS = MaskBitConfig(MaskGitConfig(z=5, mult=(1, 2), ch=32, blocks=1, maskbit=True))
VQ = MaskBitConfig(MaskGitConfig(z=8, mult=(1, 2), ch=32, blocks=1, maskbit=True), codes=16)


def pictures(n=3, h=8, w=12):
    return torch.rand(n, 3, h, w, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("config", "vocab"), [(BITS, 32), (VQ, 16)])
def test_encode_and_decode_do_not_depend_on_the_batch(tiny, config, vocab):
    model = tiny(MaskBit, config, weights="maskbit_tokenizer_10bit.bin")
    codes = model.encode(pictures())
    alone = [model.encode(pictures()[i : i + 1]) for i in range(3)]
    assert codes.indices.shape == (3, 24)
    assert codes.grid == (4, 6)
    assert torch.equal(codes.indices, torch.cat([each.indices for each in alone]))
    assert codes.indices.unique().numel() > 1
    whole = model.decode(codes)
    assert whole.shape == (3, 3, 8, 12)
    same(whole, torch.cat([model.decode(each) for each in alone]))
    assert torch.equal(whole, model.decode(codes))
    assert model.vocab_size == vocab
    assert model.tokens_per_image(8, 12) == 24


def test_channel_k_is_bit_k():
    z = torch.tensor([0.5, -1.0, 0.1, 0.0]).view(1, 4, 1, 1)
    assert signs_to_indices(z).tolist() == [[5]]
    assert signs_of(Codes(indices=torch.tensor([[5]])), 4, torch.device("cpu")).flatten().tolist() == [1, -1, 1, -1]


def test_signs_and_indices_are_inverse_for_every_code():
    every = torch.arange(64).view(1, 64)
    assert torch.equal(signs_to_indices(signs_of(Codes(indices=every), 6, torch.device("cpu"))), every)


def test_bits_decode_as_their_indices_do(tiny):
    model = tiny(MaskBit, BITS, weights="maskbit_tokenizer_10bit.bin")
    codes = model.encode(pictures())
    bits = (codes.indices[:, :, None] >> torch.arange(5)) & 1
    by_bits = model.decode(model.codes(bits=bits, grid=codes.grid))
    same(by_bits, model.decode(codes))


def test_bit_tables_in_the_file_are_not_needed_and_not_refused(tiny):
    def with_tables(state):
        tables = {"quantize.bits_to_indices": 2 ** torch.arange(5).int(), "quantize.codebook": torch.zeros(32, 5)}
        return {**state, **tables}

    plain = tiny(MaskBit, BITS, weights="maskbit_tokenizer_10bit.bin")
    full = tiny(MaskBit, BITS, weights="maskbit_tokenizer_10bit.bin", wrap=with_tables)
    assert torch.equal(plain.encode(pictures()).indices, full.encode(pictures()).indices)


def test_another_number_of_bits_is_refused_with_both_shapes(tiny):
    def other(state):
        return {**state, "encoder.conv_out.bias": torch.zeros(7)}

    with pytest.raises(WeightsError, match=r"encoder\.conv_out\.bias is \(7,\), \(5,\) expected"):
        tiny(MaskBit, BITS, weights="maskbit_tokenizer_10bit.bin", wrap=other)


def test_full_size_keys_are_the_official_ones(key_digest):
    entry = TOKENIZERS.get("maskbit-18")
    assert key_digest(entry.cls, entry.config) == (175, "c249eefcd71b0f9b")  # the official class without its two tables


def test_every_checkpoint_has_a_card_and_a_weight_file():
    names = [name for name in TOKENIZERS if name.startswith(("maskbit-", "vqgan-plus"))]
    assert len(names) == 7
    for name in names:
        card, entry = tokenizer_cards()[name], TOKENIZERS.get(name)
        assert card.weights == entry.weights
        assert card.weights in weights_manifest()
        with torch.device("meta"):
            count = sum(p.numel() for p in entry.cls.build(entry.config).parameters())
        assert card.parameters_m == pytest.approx(count / 1e6, abs=0.006)
