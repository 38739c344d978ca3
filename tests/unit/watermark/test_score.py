"""Scores: the same in pieces as at once, exact on every kind of list, and true under a random key."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.watermark import score as module
from evalkit.watermark.exact import binomial_log_tail, unit_log_tail, weighted_log_tail
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Kind, Pool, Scheme, make_pool
from evalkit.watermark.score import Scores, first_counts, score_codes

V = 40
FREQUENCIES = np.arange(V)[::-1]
COLUMNS = tuple(Scores.__dataclass_fields__)


def pool_of(kind: Kind = "independent", lists: int = 4, gamma: float = 0.5, seed: int = 0, vocabulary: int = V) -> Pool:
    key = Key(seed.to_bytes(32, "big"))
    frequencies = np.arange(vocabulary)[::-1] if kind == "paired" else None
    return make_pool(key, "t@x", vocabulary, Scheme(gamma, lists, kind), frequencies)


def repeated(images: int, n: int = 60, vocabulary: int = V, seed: int = 0) -> np.ndarray:
    """Codes by Zipf's law, a third of each image one flat area, and some padding."""
    rng = np.random.default_rng(seed)
    law = 1 / np.arange(1, vocabulary + 1)
    codes = rng.choice(vocabulary, (images, n), p=law / law.sum())
    codes[:, : n // 3] = rng.integers(vocabulary, size=(images, 1))
    codes[::2, -3:] = -1
    return codes


@pytest.mark.parametrize("kind", ["independent", "balanced", "paired"])
@pytest.mark.parametrize("cap", [1, 3])
def test_scores_in_pieces_equal_scores_at_once(kind: Kind, cap: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codes, pool = repeated(17), pool_of(kind)
    whole = score_codes(codes, pool, cap=cap)
    monkeypatch.setattr(module, "CELLS", 3 * codes.shape[1])
    parts = score_codes(codes, pool, cap=cap)
    alone = [score_codes(row[None], pool, cap=cap) for row in codes]
    for name in COLUMNS:
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name
        assert np.array_equal(getattr(whole, name), np.concatenate([getattr(each, name) for each in alone])), name


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1, V - 1), min_size=1, max_size=25), st.integers(1, 3), st.integers(0, 50))
def test_every_number_of_a_row_follows_from_its_definition(codes: list[int], cap: int, seed: int) -> None:
    pool = pool_of(gamma=0.25, seed=seed)
    found = score_codes(np.array([codes]), pool, cap=cap)
    real = [c for c in codes if c >= 0]
    counts = {c: real.count(c) for c in real}
    sums = [sum(min(n, cap) for c, n in counts.items() if mask[c]) for mask in pool.masks]
    copies = [sum(min(n, cap) == w for n in counts.values()) for w in range(1, cap + 1)]
    assert (found.codes[0], found.distinct[0]) == (len(real), len(counts))
    assert (found.list_id[0], found.green[0]) == (int(np.argmax(sums)), max(sums))
    assert found.log_p_list[0] == pytest.approx(weighted_log_tail(max(sums), copies, 0.25))
    assert found.log_p[0] == pytest.approx(min(0.0, found.log_p_list[0] + np.log(4)))
    assert found.log_p_floor[0] == pytest.approx(min(0.0, len(counts) * np.log(0.25) + np.log(4)))
    assert found.log_p_floor[0] <= found.log_p[0] + 1e-9
    if real:
        most = max(sum(mask[c] for c in real) for mask in pool.masks)
        z = (most - 0.25 * len(real)) / np.sqrt(len(real) * 0.25 * 0.75)
        assert found.z_uncalibrated[0] == pytest.approx(z, rel=1e-6)
        assert found.design_effect[0] == pytest.approx(sum(n * n for n in counts.values()) / len(real))


def test_with_cap_one_the_tail_is_the_binomial_of_distinct_codes() -> None:
    found = score_codes(repeated(9), pool_of())
    assert np.allclose(found.log_p_list, binomial_log_tail(found.green, found.distinct, 0.5))


def test_two_codes_of_a_pair_are_one_coin() -> None:
    pool = pool_of("paired", lists=1)
    order = np.argsort(pool.units, kind="stable")
    both = score_codes(order[None, :6], pool)  # three whole pairs: exactly three are green whatever the key
    assert both.green[0] == 3
    assert both.log_p[0] == pytest.approx(0.0, abs=1e-12)
    assert both.log_p_floor[0] == pytest.approx(0.0, abs=1e-12)
    apart = score_codes(order[None, :6:2], pool)
    assert apart.log_p[0] == pytest.approx(unit_log_tail(int(apart.green[0]), [((1,), 2)] * 3))


@pytest.mark.parametrize("kind", ["independent", "balanced", "paired"])
@pytest.mark.parametrize(("lists", "cap"), [(2, 1), (16, 1), (2, 3)])
def test_p_values_are_super_uniform_under_a_random_key_with_repeats(kind: Kind, lists: int, cap: int) -> None:
    codes, keys = repeated(4), 500
    log_p = np.stack([score_codes(codes, pool_of(kind, lists, seed=s), cap=cap).log_p for s in range(keys)])
    for alpha in (0.2, 0.05, 0.01):
        rate = (log_p <= np.log(alpha)).mean(0)  # of each image over the keys
        assert (rate <= alpha + 4.5 * np.sqrt(alpha / keys)).all()


def test_the_z_score_of_all_codes_is_no_p_value() -> None:
    codes, keys = repeated(4), 300
    z = np.stack([score_codes(codes, pool_of(lists=1, seed=s)).z_uncalibrated for s in range(keys)])
    assert (z > 2.326).mean() > 0.05  # of 0.01 that the normal law promises


def test_counts_stand_at_the_first_of_equal_codes() -> None:
    ordered = np.array([[0, 0, 2, 5], [1, 5, 5, 5]])
    assert first_counts(ordered, 5).tolist() == [[2, 0, 1, 0], [1, 0, 0, 0]]


def test_nothing_at_all_and_nothing_but_padding() -> None:
    assert len(score_codes(np.zeros((0, 5), int), pool_of()).log_p) == 0
    empty = score_codes(np.full((1, 5), -1), pool_of())
    assert (empty.codes[0], empty.distinct[0], empty.log_p[0]) == (0, 0, 0.0)
    assert np.isfinite(empty.z_uncalibrated[0])


def test_codes_of_another_tokenizer_are_refused() -> None:
    with pytest.raises(EvalkitError, match="Is this the tokenizer"):
        score_codes(np.array([[V]]), pool_of())
    with pytest.raises(EvalkitError, match="cap is a whole number"):
        score_codes(np.array([[1]]), pool_of(), cap=0)
