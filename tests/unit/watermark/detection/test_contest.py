"""A search under all keys: its rate is the stated one, whatever views share, and it finds more than a price for each view."""

import numpy as np
import pytest
import torch
from scipy.stats import binom

from evalkit.generators.base import Step
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.detection import detect_mark
from evalkit.watermark.detection.contest import Contest, spreads
from evalkit.watermark.detection.grids import rolled
from evalkit.watermark.detection.search import prices
from evalkit.watermark.detection.tally import best_of_each, tally
from evalkit.watermark.detection.views import View
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, build_mark
from evalkit.watermark.methods.places import Places

GRID, KINDS, KEYS = (8, 8), 64, 99
ROLLS = [(x, y) for y in (-2, -1, 0, 1, 2) for x in (-2, -1, 0, 1, 2)]


def views_of(maps):
    """The map itself, then every map rolled: [1 + views, 64]."""
    return np.stack([maps[0], *(rolled(each, *view, GRID) for each in maps for view in ROLLS)])


def rank_of(codes, mark, seed):
    """(decoys at least as large, exact log p times its price) of one image."""
    contest = Contest(decoys_of(mark, KEYS, seed))
    rows = tally(codes, mark, np.arange(len(codes)), prices([View(dx=at) for at in range(1, len(codes))]))
    contest.add(codes[1:], rows.green[1:], [0] * (len(codes) - 1))
    (kept,) = contest.settled(contest.scores(codes[:1], rows.green[:1]))
    best = best_of_each(rows, np.zeros(len(codes), np.int64))
    return int((kept[:-1] >= kept[-1]).sum()), float(best.log_pool[0])


def test_a_searched_null_image_is_called_as_often_as_stated():
    rng, ranks = np.random.default_rng(11), []
    for trial in range(300):
        mark = Places(MarkSpec("places"), Key(rng.bytes(32)), "none", np.arange(KINDS))
        weights = 1 / np.arange(1, KINDS + 1) ** rng.uniform(0, 2)
        maps = rng.choice(KINDS, (2, 64), p=weights / weights.sum())
        ranks.append(rank_of(views_of(maps), mark, str(trial))[0])
    for level in (0.02, 0.1, 0.5):
        called = int((np.array(ranks) + 1 <= level * (KEYS + 1)).sum())
        assert binom.sf(called - 1, len(ranks), level) > 1e-3
        assert binom.cdf(called, len(ranks), level) > 1e-3


def test_decoys_find_weaker_marks_in_a_search_than_a_price_for_every_view():
    rng, decoys, exact = np.random.default_rng(5), 0, 0
    for trial in range(50):
        mark = Places(MarkSpec("places"), Key(rng.bytes(32)), "none", np.arange(KINDS))
        green = mark.green_at(range(64))
        moved = np.array([rng.choice(np.flatnonzero(row if rng.random() < 0.73 else ~row)) for row in green])
        seen = np.maximum(rolled(moved, 1, -1, GRID), 0)
        near = [
            np.where(rng.random(64) < 0.05, rng.integers(0, KINDS, 64), seen) for _ in range(12)
        ]  # views share codes
        maps = np.stack([rng.integers(0, KINDS, 64), seen, *near])
        above, log_p = rank_of(views_of(maps), mark, str(trial))
        decoys += above + 1 <= 0.05 * (KEYS + 1)
        exact += log_p <= np.log(0.05)
    assert decoys > exact


def test_scores_without_a_spread_say_nothing():
    assert spreads(np.array([[3, 3, 3]])).tolist() == [[0, 0, 0]]
    assert spreads(np.array([[1, 3]]))[0] == pytest.approx([-1, 1])


def test_an_image_that_is_certain_is_not_searched():
    mark = Places(MarkSpec("places"), Key(bytes(range(32))), "none", np.arange(KINDS))
    assert Contest(decoys_of(mark, 999, "a")).certain == pytest.approx(1e-5)


@pytest.mark.parametrize("method", ["gumbel", "dipmark", "tournament"])
def test_a_mirrored_mark_that_was_drawn_by_the_key_is_found_by_a_search_and_verifies(method, toy, tmp_path):
    tokenizer = toy.Blocks()
    mark = build_mark(MarkSpec(method, lists=1), Key(bytes(range(32))), tokenizer_identity(tokenizer), 512)
    step = Step(0, range(64), torch.zeros(1, 0, dtype=torch.int64), (0,))
    law = torch.full((1, 64, 512), 1 / 512, dtype=torch.float64)
    draws = torch.rand(1, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    codes = mark.draw(law, draws, step)[0].numpy()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mirrored.png").write_bytes(toy.saved(toy.painted(codes)[:, ::-1]))
    for number in range(5):
        (tmp_path / "data" / f"plain{number}.png").write_bytes(toy.saved(toy.plain(number)))
    found = {}
    for search in ("none", "flip"):
        options = RunOptions(out=tmp_path / search)
        run = detect_mark(
            tmp_path / "data", mark, toy.Blocks(), search=search, decoys=199, cache=False, options=options
        )
        assert verify_run(run.path).failures == ()
        assert run.record["detection"]["rule"]["decide"] == "decoys"
        found[search] = [row["id"] for row in run.samples.to_pylist() if row["verdict"] == "detected"]
    assert found == {"none": [], "flip": ["mirrored.png"]}
