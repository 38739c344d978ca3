"""IBQ: the dot product chooses, the moving average wins, official names, and the laws of every tokenizer."""

from functools import partial

import pytest
import torch
from helpers.tensors import random_images

from evalkit.errors import WeightsError
from evalkit.tokenizers.ibq import Ibq
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.tokenizers.taming import VqganConfig

images = partial(random_images, height=8)

TINY = VqganConfig(TamingConfig(ch=32, mult=(1, 2), blocks=1, z=16, attention=frozenset({1})), codes=50, code_dim=12)


def lightning(state):
    return {"state_dict": {**state, "loss.logvar": torch.ones(2)}, "epoch": 7}


def with_average(state):
    average = {"model_ema." + key.replace(".", ""): value for key, value in state.items()}
    counters = {"model_ema.decay": torch.tensor(0.999), "model_ema.num_updates": torch.tensor(5)}
    return {"state_dict": {**{key: value + 1 for key, value in state.items()}, **average, **counters}}


def load(tiny, wrap=lightning):
    return tiny(Ibq, TINY, weights="imagenet256_1024.ckpt", wrap=wrap, suffix=".ckpt")


def test_the_code_with_the_largest_dot_product_is_chosen(tiny):
    model = load(tiny)
    table = model.network.quantize.embedding.weight.clone()
    table[7] *= 40  # far away, and long: the nearest code it cannot be, the largest product it often is
    with torch.no_grad():
        model.network.quantize.embedding.weight.copy_(table)
        z = model.network.quant_conv(model.network.encoder(images() * 2 - 1)).flatten(2).transpose(1, 2)
    expected = (z @ table.t()).argmax(-1)
    assert torch.equal(model.encode(images()).indices, expected)
    assert (expected == 7).any()
    assert not (torch.cdist(z, table.expand(3, -1, -1)).argmin(-1) == 7).any()


def test_the_moving_average_wins_over_plain_weights_also_for_the_codebook(tiny):
    plain, average = load(tiny), load(tiny, with_average)
    codes = plain.encode(images())
    assert torch.equal(codes.indices, average.encode(images()).indices)
    assert torch.equal(plain.decode(codes), average.decode(codes))


def test_another_codebook_size_is_refused(tiny):
    def cut(state):
        return {"state_dict": {**state, "quantize.embedding.weight": state["quantize.embedding.weight"][:40]}}

    with pytest.raises(WeightsError, match=r"quantize\.embedding\.weight is \(40, 12\), \(50, 12\) expected"):
        load(tiny, cut)


def test_names_and_shapes_are_the_official_ones(key_digest):
    assert key_digest(Ibq, TOKENIZERS.get("ibq-16384").config) == (543, "81e1642426daaa20")
