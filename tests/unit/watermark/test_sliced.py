"""Counting by bits gives what counting gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalkit.watermark.sliced as module
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, make_pool
from evalkit.watermark.score import score_codes
from evalkit.watermark.sliced import greenest, sliced


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6), lists=st.integers(1, 200), codes=st.integers(0, 40), more=st.integers(0, 40),
    images=st.integers(1, 20),
)  # fmt: skip
def test_the_greenest_list_and_both_counts_are_those_of_a_plain_sum(
    seed: int, lists: int, codes: int, more: int, images: int
) -> None:
    rng, v = np.random.default_rng(seed), 30
    masks = rng.random((lists, v)) < rng.random()
    scored, beyond = rng.integers(0, v + 1, (images, codes)), rng.integers(0, v + 1, (images, more))
    padded = np.concatenate([masks, np.zeros((lists, 1), bool)], 1)
    first, rest = padded[:, scored].sum(-1).T, padded[:, beyond].sum(-1).T
    best, score, most = greenest(scored, beyond, sliced(masks), lists)
    assert (best == first.argmax(1)).all()
    assert (score == first.max(1)).all()
    assert (most == (first + rest).max(1)).all()


@pytest.mark.parametrize("cap", [1, 2, 5])
def test_parts_and_threads_change_nothing(cap: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pool = make_pool(Key(bytes(32)), "t", 100, Scheme(0.25, 70))
    codes = rng.integers(-1, 100, (50, 64)) // rng.integers(1, 30, (50, 1))
    whole = score_codes(codes, pool, cap=cap)
    monkeypatch.setattr(module, "WORDS", 300)
    monkeypatch.setattr(module, "_threads", lambda: 3)
    parted = score_codes(codes, pool, cap=cap)
    for name in ("list_id", "green", "log_p", "z_uncalibrated", "distinct"):
        assert (getattr(whole, name) == getattr(parted, name)).all()
    weights = np.stack([np.minimum(np.bincount(row[row >= 0], minlength=100), cap) for row in codes])
    assert (whole.green == (weights @ pool.masks.T.astype(int)).max(1)).all()
