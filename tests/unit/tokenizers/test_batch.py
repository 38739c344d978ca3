"""What `encode` takes: floats on [0, 1], as a tensor or an array; the rest is one sentence."""

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.tokenizers.registry import load_tokenizer


@pytest.fixture(params=["world-vq", "jpeg-q75"])
def tokenizer(request):
    return load_tokenizer(request.param, device="cpu")


def grey(tokenizer):
    side = tokenizer.native_size
    return np.random.default_rng(0).integers(0, 256, (2, 3, side, side), dtype=np.uint8)


def test_arrays_and_tensors_give_the_same_codes(tokenizer):
    images = grey(tokenizer) / 255
    codes = tokenizer.encode(torch.from_numpy(images)).values
    assert torch.equal(tokenizer.encode(images).values, codes)
    assert torch.equal(tokenizer.encode(images.astype(np.float32)).values, codes)
    assert torch.equal(tokenizer.encode(images[:, :, ::-1]).values, tokenizer.encode(images[:, :, ::-1].copy()).values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x, r"uint8 was given\. Divide them by 255"),
        (torch.from_numpy, r"uint8 was given\. Divide them by 255"),
        (lambda x: x.astype(np.float32), r"values up to 255 were given\. Divide by 255"),
        (lambda x: (x / 255).transpose(0, 2, 3, 1), r"Put the channels second"),
        (lambda x: (x / 255)[0], r"takes images as \[B, 3, H, W\]"),
        (lambda x: "a.png", r"str was given"),
    ],
)
def test_other_scales_and_shapes_are_refused_in_one_sentence(tokenizer, change, words):
    with pytest.raises(EvalkitError, match=words):
        tokenizer.encode(change(grey(tokenizer)))
