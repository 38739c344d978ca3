"""BLEU-4: the number of another program, of arithmetic by hand, and an interval of the right width."""

import math

import numpy as np
import pytest
from torchmetrics.functional.text import bleu_score

from evalkit.metrics.bleu import COLUMNS, bleu, bleu_by_image, bleu_counts, bleu_interval

WORDS = ["a", "red", "cat", "sits", "on", "the", "mat", "near", "two", "dogs"]


def corpus(seed, n=40, references=3, most=14):
    rng = np.random.default_rng(seed)
    start = [list(rng.choice(WORDS, rng.integers(6, most))) for _ in range(n)]

    def changed(words):
        return [str(word) if rng.random() < 0.75 else str(rng.choice(WORDS)) for word in words]

    captions = [changed(each)[: rng.integers(4, most)] for each in start]
    # lengths of references are all longer or all shorter, so that no two are equally near
    return captions, [[changed(each) + ["end"] * k for k in range(references)] for each in start]


def counted(captions, references):
    return [[bleu_counts(one, many)[name] for name in COLUMNS] for one, many in zip(captions, references, strict=True)]


def test_by_hand():
    caption, references = ["the", "cat", "the", "cat", "on", "the", "mat"], [["the", "cat", "is", "on", "the", "mat"]]
    counts = bleu_counts(caption, references)
    assert [counts[name] for name in COLUMNS] == [5, 3, 1, 0, 7, 6]  # the 2, cat 1, on, mat; the cat, on the, the mat
    more = [["a", "b", "c", "d", "e"], [["a", "b", "c", "d", "f", "g"]]]
    rows = counted([caption, more[0]], [references, more[1]])
    shares = (5 + 4) / 12, (3 + 3) / 10, (1 + 2) / 8, (0 + 1) / 6
    assert bleu(rows) == pytest.approx(math.prod(shares) ** 0.25, rel=1e-12)  # 12 words, as the references


def test_the_reference_nearest_in_length_counts_and_the_shorter_of_two():
    references = [["a"] * 3, ["a"] * 7, ["a"] * 20]
    assert bleu_counts(["a"] * 5, references)["reference_words"] == 3
    assert bleu_counts(["a"] * 6, references)["reference_words"] == 7


@pytest.mark.parametrize("seed", range(4))
def test_it_is_that_of_torchmetrics(seed):
    captions, references = corpus(seed)
    peer = bleu_score([" ".join(each) for each in captions], [[" ".join(one) for one in each] for each in references])
    assert bleu(counted(captions, references)) == pytest.approx(float(peer), rel=1e-5)  # the peer is float32


def test_short_captions_are_punished():
    references = [[["a", "b", "c", "d", "e", "f", "g", "h"]]]
    found = bleu(counted([["a", "b", "c", "d"]], references))
    assert found == pytest.approx(math.exp(1 - 8 / 4))


def test_nothing_that_matches_is_0_and_has_no_interval():
    rows = counted([["x", "y", "z", "w"]], [[["a", "b", "c", "d"]]])
    assert bleu(rows) == 0
    found = bleu_interval(rows)
    assert (found.value, found.low, found.high) == (0, None, None)
    assert bleu(np.zeros((0, 6))) != bleu(np.zeros((0, 6)))  # nan: there are no captions


@pytest.mark.parametrize("seed", [0, 1])
def test_influences_are_the_derivatives_and_their_mean_is_the_number(seed):
    rows = np.asarray(counted(*corpus(seed)), float)
    by_image = bleu_by_image(rows)
    assert by_image.mean() == pytest.approx(bleu(rows), rel=1e-12)
    assert rows[:, 4].sum() < rows[:, 5].sum()  # the brevity penalty is part of it
    one = 7
    more = np.concatenate([rows, rows[[one]]])  # one caption counts twice
    assert bleu(more) - bleu(rows) == pytest.approx((by_image[one] - bleu(rows)) / len(rows), rel=0.1)


def test_the_interval_is_as_wide_as_the_number_scatters():
    held, values = 0, [bleu(counted(*corpus(seed, 60))) for seed in range(60)]
    truth = np.mean(values)
    widths = []
    for seed in range(60):
        found = bleu_interval(counted(*corpus(seed, 60)))
        held += found.low <= truth <= found.high
        widths.append(found.high - found.low)
    assert held >= 51
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.std(values), rel=0.35)
