"""ROUGE-L: the definition with a table of subsequences, and what it must not depend on."""

import random

import pytest

from evalkit.metrics.rouge import rouge_l


def longest(a, b):
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def test_the_score_is_the_definition_s():
    rng = random.Random(0)
    for _ in range(200):
        caption, *references = ([rng.choice("abcde") for _ in range(rng.randint(1, 9))] for _ in range(4))
        precision = max(longest(caption, each) / len(caption) for each in references)
        recall = max(longest(caption, each) / len(each) for each in references)
        wanted = 2.44 * precision * recall / (recall + 1.44 * precision) if precision and recall else 0
        assert rouge_l(caption, references) == pytest.approx(wanted, rel=1e-12)


def test_equal_captions_score_one_and_foreign_or_empty_ones_nothing():
    assert rouge_l(["a", "cat"], [["x"], ["a", "cat"]]) == 1
    assert rouge_l(["dog"], [["a", "cat"]]) == rouge_l([], [["a"]]) == rouge_l(["a"], [[]]) == 0
