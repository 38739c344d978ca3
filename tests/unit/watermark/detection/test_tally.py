"""The best of lists and views, and that every view is paid for."""

import numpy as np
import pytest
from scipy.stats import binom

from evalkit.images import open_images
from evalkit.jobs.timers import Timers
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.tally import best_of_each, tally
from evalkit.watermark.detection.views import View
from evalkit.watermark.methods import Several


def test_the_tally_is_the_score_corrected_for_all_lists(toy):
    mark = toy.mark(lists=4)
    codes = np.random.default_rng(0).integers(0, 512, (50, 64))
    rows, scores = tally(codes, mark, 3), mark.score(codes)
    assert np.allclose(np.minimum(rows.log_pool, 0), scores.log_p)
    assert (rows.log_pool >= scores.log_p - 1e-12).all()
    assert (rows.view == 3).all()


def test_several_marks_count_the_lists_of_all(toy):
    marks = [toy.mark(lists=2), toy.mark(lists=4, key=bytes(32))]
    codes = np.random.default_rng(1).integers(0, 512, (30, 64))
    both = tally(codes, Several(marks))
    single = np.minimum(*(each.score(codes).log_p_list for each in marks))
    assert np.allclose(both.log_pool, single + np.log(6))


def test_the_best_view_of_each_image_is_kept_and_the_first_where_they_are_equal(toy):
    mark = toy.mark(lists=1, kind="independent")
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 512, (12, 64))
    codes[7] = codes[6]
    owners, views = np.repeat([0, 1, 2], 4), np.tile([1, 2, 3, 4], 3)
    rows = tally(codes, mark, views)
    best = best_of_each(rows, owners)
    for owner in range(3):
        mine = rows.log_pool[owners == owner]
        assert best.log_pool[owner] == mine.min()
        assert best.view[owner] == 1 + mine.argmin()
        assert best.log_floor[owner] == rows.log_floor[owners == owner].min()


def test_improving_changes_the_named_images_only_and_never_for_the_worse(toy):
    mark = toy.mark()
    codes = np.random.default_rng(3).integers(0, 512, (20, 64))
    before, other = tally(codes[:10], mark), tally(codes[10:14], mark, 5)
    places = np.array([1, 4, 6, 9])
    after = before.improved(places, other)
    untouched = np.setdiff1d(np.arange(10), places)
    assert np.array_equal(after.log_pool[untouched], before.log_pool[untouched])
    assert np.array_equal(after.log_pool[places], np.minimum(before.log_pool[places], other.log_pool))
    assert set(after.view[after.log_pool < before.log_pool]) <= {5}


def test_false_positives_of_a_search_stay_at_nominal(toy, tmp_path):
    """Unmarked images, searched in 17 views each with keys drawn at random: at most alpha of them are called."""
    write, views = (
        40,
        (View(flip=True), *(View(dx=dx, dy=dy) for dx in (0, 2, 4, 6) for dy in (0, 2, 4, 6) if dx or dy)),
    )
    for i in range(write):
        (tmp_path / f"{i}.png").write_bytes(toy.saved(toy.plain(i)))
    reader = Reader(open_images(tmp_path), toy.Blocks(), CodeCache(":memory:"), timers=Timers())
    called = total = 0
    for key in range(8):
        mark = toy.mark(lists=2, key=bytes([key + 1] * 32))
        found = Scanner(reader, mark, views, 1e-9).scan(range(write))
        called += int((found.log_p <= np.log(0.05)).sum())
        total += write
        assert (found.best.view > 0).any()
    assert binom.sf(called - 1, total, 0.05) > 1e-3


def test_the_detector_does_not_look_further_where_the_image_itself_decides(toy, tmp_path):
    mark, tokenizer = toy.mark(), toy.Blocks()
    (tmp_path / "a.png").write_bytes(toy.saved(toy.marked(mark, 1)))
    (tmp_path / "b.png").write_bytes(toy.saved(toy.plain(1)))
    views = tuple(View(dx=dx) for dx in range(1, 8))
    found = Scanner(Reader(open_images(tmp_path), tokenizer, CodeCache(":memory:")), mark, views, 1e-3).scan(range(2))
    assert tokenizer.encoded == 2 + 7
    assert found.log_p[0] == pytest.approx(
        min(0, found.best.log_p_list[0] + np.log(4 * 2))
    )  # the image itself has half of the error
