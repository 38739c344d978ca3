"""Green lists: shares, balance, units, and what they depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, histogram_digest, list_of, make_pool

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
IDENTITY = "world-vq@aa"


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([(0.5, 2), (0.25, 8), (0.75, 4), (0.5, 16)]), st.integers(1, 300), st.text(max_size=3))
def test_a_balanced_pool_has_every_code_green_in_equally_many_lists(
    share: tuple[float, int], vocabulary: int, epoch: str
) -> None:
    gamma, lists = share
    pool = make_pool(KEY, IDENTITY, vocabulary, Scheme(gamma, lists, "balanced", epoch))
    assert pool.masks.shape == (lists, vocabulary)
    assert (pool.masks.sum(0) == round(gamma * lists)).all()


def test_independent_lists_have_the_share_that_was_asked_for_and_resemble_no_other() -> None:
    pool = make_pool(KEY, IDENTITY, 20_000, Scheme(0.25, 3))
    assert np.allclose(pool.masks.mean(1), 0.25, atol=0.02)  # six sigmas
    together = np.corrcoef(pool.masks.astype(float))
    assert np.abs(together[~np.eye(3, dtype=bool)]).max() < 0.05


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([2, 3, 4]), st.integers(4, 90))
def test_a_unit_of_paired_lists_has_exactly_one_green_code_and_codes_of_neighbouring_frequency(
    size: int, vocabulary: int
) -> None:
    frequencies = np.random.default_rng(vocabulary).permutation(vocabulary)
    pool = make_pool(KEY, IDENTITY, vocabulary, Scheme(1 / size, 2, "paired"), frequencies)
    whole = vocabulary // size
    for unit in range(whole):
        members = np.flatnonzero(pool.units == unit)
        assert (pool.masks[:, members].sum(1) == 1).all()
        assert np.ptp(frequencies[members]) == size - 1
    assert not pool.masks[:, pool.units >= whole].any()


def test_paired_lists_are_green_as_often_as_gamma_says_whatever_the_key() -> None:
    frequencies = 1 / np.arange(1, 1001)  # Zipf
    law = frequencies / frequencies.sum()
    shares = {
        kind: np.array([make_pool(Key(bytes([i] * 32)), IDENTITY, 1000, scheme, frequencies).masks[0] @ law for i in range(60)])
        for kind, scheme in (("paired", Scheme(kind="paired")), ("independent", Scheme()))
    }  # fmt: skip
    assert shares["paired"].std() < 0.5 * shares["independent"].std()
    assert shares["paired"].mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("kind", ["independent", "balanced", "paired"])
def test_lists_depend_on_key_tokenizer_and_epoch_and_on_nothing_else(kind: str) -> None:
    frequencies = np.arange(256)

    def masks(key: Key = KEY, identity: str = IDENTITY, epoch: str = "0") -> np.ndarray:
        return make_pool(key, identity, 256, Scheme(0.5, 4, kind, epoch), frequencies).masks  # type: ignore[arg-type]

    assert np.array_equal(masks(), masks())
    for other in (masks(OTHER), masks(identity="world-vq@ab"), masks(epoch="1")):
        assert 0.3 < (masks() == other).mean() < 0.7


def test_lists_are_the_same_on_every_machine_and_in_every_version() -> None:
    pool = make_pool(KEY, "t@x", 16, Scheme(0.5, 2))
    said = ["".join(map(str, row.astype(int))) for row in pool.masks]
    assert said == ["0100010100110110", "1101000100111111"]
    assert [list_of(KEY, "t@x", Scheme(0.5, 16, "balanced"), i) for i in range(8)] == [10, 13, 12, 15, 14, 5, 4, 0]


def test_every_list_of_the_pool_is_drawn_equally_often() -> None:
    scheme = Scheme(0.5, 4, "balanced")
    drawn = np.bincount([list_of(KEY, IDENTITY, scheme, seed) for seed in range(2000)], minlength=4)
    assert (np.abs(drawn - 500) < 6 * np.sqrt(2000 * 0.25 * 0.75)).all()
    assert list_of(KEY, IDENTITY, scheme, "7") == list_of(KEY, IDENTITY, scheme, 7)


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ((0.0, 1), "gamma lies between 0 and 1"),
        ((0.5, 0), "lists is at least 1"),
        ((0.5, 3, "balanced"), "whole number of gamma"),
        ((0.3, 10, "paired"), "1/2, 1/3, 1/4"),
    ],
)
def test_a_scheme_that_cannot_be_is_refused(scheme: tuple, said: str) -> None:
    with pytest.raises(EvalkitError, match=said):
        Scheme(*scheme)


def test_a_histogram_is_needed_and_must_be_the_one_of_the_scheme() -> None:
    with pytest.raises(EvalkitError, match="--frequencies FILE"):
        make_pool(KEY, IDENTITY, 8, Scheme(kind="paired"))
    digest = histogram_digest(np.arange(8))
    assert make_pool(KEY, IDENTITY, 8, Scheme(kind="paired"), np.arange(8)).scheme.frequencies == digest
    with pytest.raises(EvalkitError, match="the scheme wants"):
        make_pool(KEY, IDENTITY, 8, Scheme(kind="paired", frequencies=digest), np.arange(8)[::-1])
    with pytest.raises(EvalkitError, match="too many"):
        make_pool(KEY, IDENTITY, 2**20, Scheme(lists=2**11))
