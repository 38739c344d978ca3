import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.rows import Taken, moments_of
from evalkit.metrics.sets import FeatureBank

X = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)


def bank_of(*parts, numbers=True):
    bank = FeatureBank()
    for part in parts:
        bank.add(X[part], np.asarray(part) if numbers else None)
    return bank


def test_rows_come_back_in_the_order_of_their_numbers_in_any_cut():
    order = np.random.default_rng(1).permutation(60)
    bank = bank_of(order[:5], order[5:6], order[6:])
    assert bank.shape == (60, 7)
    assert np.array_equal(bank[:], X)
    assert np.array_equal(bank[13:57], X[13:57])
    some = np.array([59, 0, 0, 17, 18])
    assert np.array_equal(bank[some], X[some])
    assert np.array_equal(bank.numbers(), np.arange(60))
    assert bank[:0].shape == (0, 7)


def test_statistics_do_not_know_how_images_came():
    forward, backward = bank_of(range(60)), bank_of(range(59, 29, -1), range(30))
    one, two = moments_of(forward), moments_of(backward)
    assert np.array_equal(one.scatter, two.scatter)
    assert np.array_equal(one.mean, two.mean)


def test_workers_merge_in_any_order_and_count_on_without_numbers():
    a, b = bank_of(range(0, 60, 2)), bank_of(range(1, 60, 2))
    b.merge(a)
    assert np.array_equal(b[:], X)
    c, d = bank_of(range(20), numbers=False), bank_of(range(20, 60), numbers=False)
    c.merge(d)
    assert np.array_equal(c[:], X)


def test_gaps_between_numbers_are_no_problem():
    bank = FeatureBank()
    bank.add(X[:3], np.array([900, 7, 40]))
    assert np.array_equal(bank[:], X[[1, 2, 0]])


def test_doubles_stay_doubles_and_halves_become_singles():
    double, half = FeatureBank(), FeatureBank()
    double.add(X.astype(np.float64))
    half.add(X.astype(np.float16))
    assert double[:].dtype == np.float64
    assert half[:].dtype == np.float32


def test_what_cannot_be_a_feature_is_one_sentence():
    bank = bank_of(range(4))
    with pytest.raises(EvalkitError, match=r"come as .k, 7.; .2, 6. was given"):
        bank.add(X[:2, :6])
    broken = X[:3].copy()
    broken[1, 2] = np.nan
    with pytest.raises(EvalkitError, match="image 1 of this batch are not finite"):
        bank.add(broken)
    with pytest.raises(EvalkitError, match="Features are numbers; <U1 was given"):
        bank.add([["a"] * 7])
    with pytest.raises(EvalkitError, match="2 images need 2 numbers"):
        bank.add(X[:2], np.array([1]))
    bank.add(X[:1], np.array([2]))
    with pytest.raises(EvalkitError, match="Image 2 came twice"):
        bank[:]


def test_a_part_of_a_set_reads_like_a_set():
    bank = bank_of(range(60))
    part = Taken(bank, np.array([5, 50, 6]))
    assert part.shape == (3, 7)
    assert np.array_equal(part[1:], X[[50, 6]])
    assert np.array_equal(part[np.array([2])], X[[6]])
