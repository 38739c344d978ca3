import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.judges.controls import blank_like, check_control, shuffled_pairs


@given(st.lists(st.integers(1, 5), min_size=2, max_size=12), st.integers(0, 99))
def test_no_image_stays_with_its_prompt_and_each_moves_once(sizes, seed):
    prompts = [str(i) for i, n in enumerate(sizes) for _ in range(n)]
    if max(sizes) > len(prompts) / 2:
        with pytest.raises(EvalkitError, match="more than half"):
            shuffled_pairs(prompts, seed)
        return
    moved = shuffled_pairs(prompts, seed)
    assert sorted(moved) == list(range(len(prompts)))
    assert all(prompts[i] != prompts[j] for i, j in enumerate(moved))


def test_pairs_depend_on_the_seed_alone():
    prompts = [str(i) for i in range(30)]
    assert shuffled_pairs(prompts, 1) == shuffled_pairs(prompts, 1) != shuffled_pairs(prompts, 2)


def test_a_blank_image_shows_nothing():
    blank = blank_like(np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    assert blank.shape == (2, 4, 3)
    assert len(np.unique(blank)) == 1


def test_a_judge_that_looks_passes_and_one_that_does_not_is_named():
    rng = np.random.default_rng(0)
    right = rng.integers(6, 10, 40).astype(float).tolist()
    wrong = rng.integers(0, 4, 40).astype(float).tolist()
    assert check_control("shuffled pairs", right, wrong).alarm == ""
    blind = check_control("blank images", right, rng.permutation(right).tolist())
    assert blind.alarm.startswith("The judge does not score blank images surely lower")


def test_lost_replies_are_left_out_of_the_pairs():
    found = check_control("shuffled pairs", [9, 8, None, 9, 9], [1, 2, 3, None, 1])
    assert found.drop.estimate.n == 3
    with pytest.raises(EvalkitError, match="same items"):
        check_control("x", [1], [])
