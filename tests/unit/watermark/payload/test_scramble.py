"""Words of messages: one to one, back again, and uniform in pairs over keys."""

import numpy as np
import pytest
from scipy.stats import chisquare

from evalkit.watermark.keys import Key
from evalkit.watermark.payload.scramble import scramble_of


def of(key, bits):
    return scramble_of(Key(int(key).to_bytes(32, "big")), bits, "test")


@pytest.mark.parametrize("bits", [8, 36, 64])
def test_words_are_one_to_one_and_lead_back(bits):
    scramble = of(5, bits)
    messages = (
        np.unique(np.random.default_rng(0).integers(0, 1 << bits, 300, dtype=np.uint64, endpoint=False))
        if bits < 64
        else np.random.default_rng(0).integers(0, 2**64 - 1, 300, dtype=np.uint64)
    )
    words = scramble.words(messages)
    assert len(np.unique(words)) == len(messages)
    assert [scramble.message(int(word)) for word in words] == messages.tolist()
    assert scramble.word(int(messages[7])) == words[7]


def test_the_words_of_two_neighbours_are_uniform_together_over_keys():
    pairs = np.array([of(key + 1, 8).words(np.array([8, 9], np.uint64)) for key in range(2000)])
    for found in (pairs[:, 0], pairs[:, 0] ^ pairs[:, 1]):
        assert chisquare(np.bincount((found // 16).astype(int), minlength=16)).pvalue > 1e-3
    assert (pairs[:, 0] != pairs[:, 1]).all()
