"""CIDEr-D: the number of dense vectors, and what the score must and must not depend on."""

import math

import numpy as np
import pytest

from evalkit.metrics.cider import SCALE, cider_d, rarity

CORPUS = [
    [["a", "red", "cat", "sits", "on", "the", "mat"], ["the", "cat", "is", "on", "a", "red", "mat"]],
    [["two", "dogs", "run", "in", "the", "park"], ["dogs", "run", "on", "the", "grass", "in", "a", "park"]],
    [["a", "man", "rides", "a", "horse"], ["the", "man", "is", "on", "a", "brown", "horse"]],
]


def dense(caption, references, corpus):
    """The definition with vectors over all n-grams: paper's equations, COCO's lengths in pairs of words."""
    total = 0.0
    for n in (1, 2, 3, 4):

        def cut(words, n=n):
            return [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]

        names = sorted({gram for words in (caption, *(r for image in corpus for r in image)) for gram in cut(words)})
        df = np.array([sum(any(name in cut(r) for r in image) for image in corpus) for name in names])
        idf = np.log(len(corpus)) - np.log(np.maximum(df, 1))
        mine = np.array([cut(caption).count(name) for name in names]) * idf
        for reference in references:
            theirs = np.array([cut(reference).count(name) for name in names]) * idf
            norms = np.linalg.norm(mine) * np.linalg.norm(theirs)
            alike = np.minimum(mine, theirs) @ theirs / norms if norms else 0.0
            total += alike * math.exp(-((len(caption) - len(reference)) ** 2) / 72)
    return 10 * total / 4 / len(references)


@pytest.mark.parametrize("image", range(3))
@pytest.mark.parametrize(
    "caption", ["a red cat on a mat", "dogs run in the park park park", "a man a man a man", "x y"]
)
def test_it_is_that_of_dense_vectors(caption, image):
    found = cider_d(caption.split(), CORPUS[image], rarity(CORPUS))
    assert found == pytest.approx(dense(caption.split(), CORPUS[image], CORPUS), rel=1e-12, abs=1e-15)


def test_a_reference_alone_gets_the_most_and_a_stranger_nothing():
    corpus = [image[:1] for image in CORPUS]
    assert cider_d(corpus[0][0], corpus[0], rarity(corpus)) == pytest.approx(SCALE)
    assert cider_d(["x", "y", "z"], corpus[0], rarity(corpus)) == 0


def test_words_of_every_image_count_nothing_and_repeats_gain_nothing():
    assert cider_d(["the"], CORPUS[0], rarity([*CORPUS, [["the"]]])) == 0
    corpus, caption = rarity(CORPUS), ["a", "red", "cat", "sits", "on", "the", "mat"]
    assert cider_d([*caption, "cat", "cat", "cat"], CORPUS[0], corpus) < cider_d(caption, CORPUS[0], corpus)


def test_a_corpus_of_one_image_gives_0():
    assert cider_d(CORPUS[0][0], CORPUS[0], rarity(CORPUS[:1])) == 0


def test_an_empty_caption_is_0():
    assert cider_d([], CORPUS[0], rarity(CORPUS)) == 0
