"""Lists and caches belong to one tokenizer with its weights."""

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.images.geometry import fit_square
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.identity import preparation_id, prepared, tokenizer_identity
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, make_pool


def test_another_checkpoint_of_the_same_shape_has_other_lists_and_another_cache() -> None:
    one, two = load_tokenizer("world-vq", device="cpu"), load_tokenizer("world-vq", device="cpu")
    assert tokenizer_identity(one) == tokenizer_identity(two) == f"world-vq@{one.weights_sha256}"
    two.weights_sha256 = "0" * 64
    assert tokenizer_identity(one) != tokenizer_identity(two)
    assert preparation_id(one) != preparation_id(two)
    key = Key(bytes(range(32)))
    masks = [make_pool(key, tokenizer_identity(each), 512, Scheme()).masks for each in (one, two)]
    assert 0.4 < (masks[0] == masks[1]).mean() < 0.6


def test_codecs_have_no_lists() -> None:
    with pytest.raises(EvalkitError, match="no fixed number of"):
        tokenizer_identity(load_tokenizer("jpeg-lm"))


def test_a_image_of_the_right_size_is_untouched_and_others_become_the_centre_square() -> None:
    model = load_tokenizer("world-vq", device="cpu")
    small = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert prepared(small, model) is small
    wide = np.random.default_rng(1).integers(0, 256, (100, 160, 3), dtype=np.uint8)
    assert np.array_equal(prepared(wide, model), fit_square(wide, 64, "short-bicubic"))
    assert prepared(wide, model).shape == (64, 64, 3)
