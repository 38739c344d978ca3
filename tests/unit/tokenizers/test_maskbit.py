"""MaskBit and VQGAN+: official names, little-endian bits, batch invariance, files with and without the bit tables."""

from functools import partial

import pytest
import torch
from helpers.near import same
from helpers.tensors import random_images

from evalkit.errors import WeightsError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.maskbit import MaskBit, MaskBitConfig
from evalkit.tokenizers.nets.bits import signs_of, signs_to_indices
from evalkit.tokenizers.nets.maskgit import MaskGitConfig
from evalkit.tokenizers.registry import TOKENIZERS

images = partial(random_images, height=8, width=12)

BITS = MaskBitConfig(MaskGitConfig(z=5, mult=(1, 2), ch=32, blocks=1, maskbit=True))
VQ = MaskBitConfig(MaskGitConfig(z=8, mult=(1, 2), ch=32, blocks=1, maskbit=True), codes=16)


def test_channel_k_is_bit_k():
    z = torch.tensor([0.5, -1.0, 0.1, 0.0]).view(1, 4, 1, 1)
    assert signs_to_indices(z).tolist() == [[5]]
    assert signs_of(Codes(indices=torch.tensor([[5]])), 4, torch.device("cpu")).flatten().tolist() == [1, -1, 1, -1]


def test_signs_and_indices_are_inverse_for_every_code():
    every = torch.arange(64).view(1, 64)
    assert torch.equal(signs_to_indices(signs_of(Codes(indices=every), 6, torch.device("cpu"))), every)


def test_bits_decode_as_their_indices_do(tiny):
    model = tiny(MaskBit, BITS, weights="maskbit_tokenizer_10bit.bin")
    codes = model.encode(images())
    bits = (codes.indices[:, :, None] >> torch.arange(5)) & 1
    by_bits = model.decode(model.codes(bits=bits, grid=codes.grid))
    same(by_bits, model.decode(codes))


def test_bit_tables_in_the_file_are_not_needed_and_not_refused(tiny):
    def with_tables(state):
        tables = {"quantize.bits_to_indices": 2 ** torch.arange(5).int(), "quantize.codebook": torch.zeros(32, 5)}
        return {**state, **tables}

    plain = tiny(MaskBit, BITS, weights="maskbit_tokenizer_10bit.bin")
    full = tiny(MaskBit, BITS, weights="maskbit_tokenizer_10bit.bin", wrap=with_tables)
    assert torch.equal(plain.encode(images()).indices, full.encode(images()).indices)


def test_another_number_of_bits_is_refused_with_both_shapes(tiny):
    def other(state):
        return {**state, "encoder.conv_out.bias": torch.zeros(7)}

    with pytest.raises(WeightsError, match=r"encoder\.conv_out\.bias is \(7,\), \(5,\) expected"):
        tiny(MaskBit, BITS, weights="maskbit_tokenizer_10bit.bin", wrap=other)


def test_full_size_keys_are_the_official_ones(key_digest):
    entry = TOKENIZERS.get("maskbit-18")
    assert key_digest(entry.cls, entry.config) == (175, "c249eefcd71b0f9b")  # the official class without its two tables
