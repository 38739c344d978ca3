"""The lean of a key on an image: what its scores on other images foretell, never what the image says itself."""

import numpy as np
import pytest

from evalkit.watermark.decoys.lean import BLOCK, CLIP, RIDGE, SHARED, blocks, fitted, leans, standardised, top_of
from evalkit.watermark.decoys.ranks import ranked


def folder(images=60, keys=80, shared=6, seed=0):
    rng = np.random.default_rng(seed)
    coins = rng.integers(0, 2, (shared + 20 * images, keys + 1))
    own = coins[shared:].reshape(images, 20, keys + 1).sum(1)
    return own + 3 * coins[:shared].sum(0)


def slow(scores):
    """Each residual by a ridge regression of its own, without the image and without the key."""
    x = np.clip(standardised(scores), -CLIP, CLIP)
    ridge = RIDGE * max(x.shape)
    found = np.zeros(x.shape)
    for i in range(x.shape[0]):
        others = np.delete(x, i, axis=0)
        for k in range(x.shape[1]):
            a, b = np.delete(others, k, axis=1), others[:, k]
            weights = np.linalg.solve(a.T @ a + ridge * np.eye(a.shape[1]), a.T @ b)
            found[i, k] = np.delete(x[i], k) @ weights
    return found


def test_the_closed_form_is_the_regression_without_the_image_and_the_key():
    scores = folder(images=9, keys=14)
    fit = fitted(lambda: [scores])
    _, lean = leans(scores, fit)
    others = np.arange(15) != fit.top
    assert np.allclose(lean[:, others], slow(scores)[:, others], atol=1e-9)


def test_one_image_has_no_lean():
    scores = folder(images=1)
    x, lean = leans(scores, fitted(lambda: [scores]))
    assert np.abs(lean).max() < 1e-9
    assert x.std() == pytest.approx(1, abs=0.15)


def test_what_images_share_is_lean_and_what_they_do_not_is_left():
    scores = folder(images=300, keys=200)
    x, lean = leans(scores, fitted(lambda: [scores]))
    assert np.corrcoef(x.mean(0), lean.mean(0))[0, 1] > 0.99
    left = x - lean
    assert np.abs(left.mean(0)).mean() < 0.3 * np.abs(x.mean(0)).mean()
    assert left.std() > 0.25


def test_the_image_itself_does_not_enter_its_lean():
    scores = folder()
    changed = scores.copy()
    changed[7, :-1] += np.random.default_rng(1).permutation(scores.shape[1] - 1) % 3
    changed[7, -1] += 40  # a marked image
    before, after = (leans(each, fitted(lambda e=each: [e]))[1][7, -1] for each in (scores, changed))
    assert abs(after - before) < 0.3


def drawn_from_forty(images=600, keys=200, marked=20, seed=0):
    """Scores of images of 20 out of 40 codes; the first ones hold green codes of the last key, as a mark has them."""
    rng = np.random.default_rng(seed)
    green = rng.integers(0, 2, (40, keys + 1))
    held = rng.random((images, 40)).argsort(1) < 20
    for row in held[:marked]:
        red, free = (np.flatnonzero(row & (green[:, -1] == 0)), np.flatnonzero(~row & (green[:, -1] == 1)))
        moved = min(6, len(red), len(free))
        row[red[:moved]], row[free[:moved]] = False, True
    return held.astype(int) @ green


@pytest.mark.parametrize(("shared", "foretold"), [(0.0, True), (SHARED, False)])
def test_a_mark_in_codes_that_all_images_draw_from_is_not_foretold_by_them(shared, foretold):
    scores = drawn_from_forty()
    x, lean = leans(scores, fitted(lambda: [scores], shared=shared))
    assert (lean[:20, -1].mean() > 0.5 * x[:20, -1].mean()) == foretold


def test_a_folder_full_of_the_mark_is_not_taken_for_lean():
    scores = folder(images=200, keys=200)
    scores[:, -1] += 40
    x, lean = leans(scores, fitted(lambda: [scores]))
    assert (x - lean)[:, -1].min() > 3  # the greenest key of all may lean as far as others do


@pytest.mark.parametrize(("marked", "least", "most"), [(120, 0.0, 0.8), (600, 1.0, 1.0)])
def test_the_lower_tail_shows_what_a_mark_in_few_images_does_not_reach(marked, least, most):
    scores = folder(images=600, keys=200, shared=0)
    scores[:marked, -1] += 40
    fit = fitted(lambda: [scores])
    assert fit.top == scores.shape[1] - 1
    assert least <= fit.steady <= most
    assert fitted(lambda: [scores], tail=False).steady == 0


def nearly_the_greenest(images=500, keys=499, marked=50, seed=3):
    """Scores of images that share codes. The real key's, last, is the second of all by its mean, until the first images
    are marked with it.
    """
    scores = folder(images, keys, shared=30, seed=seed)
    order = scores.mean(0).argsort(kind="stable")
    scores = scores[:, [*np.delete(order, -2), order[-2]]]
    scores[:marked, -1] += 20
    return scores


@pytest.mark.parametrize(("tail", "at_most"), [(True, 0.03), (False, 1.0)])
def test_marked_images_do_not_leave_the_others_without_the_lean_of_a_key_that_becomes_the_greenest(tail, at_most):
    scores, marked = nearly_the_greenest(), 50
    fit = fitted(lambda: [scores], tail=tail)
    assert fit.top == scores.shape[1] - 1
    seen = ranked(lambda: [scores], 0.01, tail=tail)
    called = (seen.above[marked:] < 5).mean()
    assert called <= at_most
    assert tail or called > 0.03  # as earlier runs are verified
    assert (seen.above[:marked] == 0).mean() > 0.9


def test_the_real_key_is_the_greenest_only_above_all_others():
    assert top_of(np.array([0.1, 0.5, 0.5])) == 1
    assert top_of(np.array([0.1, 0.5, 0.6])) == 2


@pytest.mark.parametrize("sizes", [[5000], [1, 2000, 999, 2000], [BLOCK] * 4 + [904], []])
def test_blocks_are_the_same_for_any_split(sizes):
    rows = np.arange(5000)[:, None]
    parts = np.split(rows, np.cumsum(sizes)[:-1]) if sizes else []
    found = list(blocks(parts))
    assert [len(each) for each in found[:-1]] == [BLOCK] * (len(found) - 1)
    assert not sizes or np.array_equal(np.concatenate(found), rows)


def test_rows_without_a_spread_say_nothing():
    assert not standardised(np.full((2, 100), 3)).any()
