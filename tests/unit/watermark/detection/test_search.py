"""What a search tries, what it costs, and that its false positives stay at the stated rate."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import binom

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.sizes import to_tensor
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.grids import rolled
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.search import MOST, prices, read_search
from evalkit.watermark.detection.tally import best_of_each, tally
from evalkit.watermark.detection.views import View
from evalkit.watermark.embed.full_size import Frame
from evalkit.watermark.embed.nudge import Nudge, nudge
from evalkit.watermark.identity import prepared
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.methods.places import Places


def test_parts_that_are_joined_are_undone_together_and_offsets_have_signs():
    views = read_search("flip/offsets:4/rolls:1", 16)
    assert len(views) == 16 * 9
    assert all(view.flip for view in views)
    assert {view.dx for view in views} == {-4, 0, 4, 8}
    assert {(view.right, view.down) for view in views} == {(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)}
    assert View(flip=True, dx=-3, right=1) in read_search("scales:0.9/shifts,flip/shifts", 8)


def test_whole_cells_are_left_out_for_marks_that_know_no_place():
    assert read_search("shifts,flip", 16, placed=False) == read_search("offsets,flip", 16)
    assert len(read_search("shifts", 16)) == 64 * 25 - 1


def test_a_search_that_is_too_large_says_so():
    with pytest.raises(EvalkitError, match=f"{MOST:,} are the most"):
        read_search("scales/angles/offsets:1/rolls:4", 16)


@pytest.mark.parametrize("wrong", ["crops:2", "flip/lights", "rolls:x", "gains:a", "offsets/whirl"])
def test_unknown_parts_are_named(wrong):
    with pytest.raises(EvalkitError, match="there is no search called"):
        read_search(wrong, 16)


@given(st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 4), st.integers(1, 4))
def test_a_code_map_that_was_moved_by_whole_cells_is_moved_back(right, down, rows, columns):
    codes = np.arange(rows * columns)
    there = rolled(codes, -right, -down, (rows, columns))
    back = rolled(there, right, down, (rows, columns))
    stayed = back >= 0
    assert np.array_equal(back[stayed], codes[stayed])
    assert stayed.sum() == max(0, rows - abs(down)) * max(0, columns - abs(right))


def test_views_that_differ_by_whole_cells_share_one_encoding(toy, tmp_path):
    (tmp_path / "a.png").write_bytes(toy.saved(toy.plain(1)))
    tokenizer = toy.Blocks()
    reader = Reader(open_images(tmp_path), tokenizer, CodeCache(":memory:"))
    views = read_search("offsets:4/rolls:1,flip/rolls:1", 8)
    found = list(reader.views(0, views))
    assert [view for view, _ in found] == list(views)
    assert tokenizer.encoded == len({view.encoded for view in views}) == 5
    rows = {view.name: codes for view, codes in found}
    grid = reader.grid
    assert np.array_equal(rolled(rows["flip"], 1, -1, grid), rows["flip roll 1,-1"])


def test_a_search_ends_where_its_views_decide(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.watermark.detection.scan.STOP", 4)
    mark, tokenizer = toy.mark(), toy.Blocks()
    (tmp_path / "a.png").write_bytes(toy.saved(np.roll(toy.marked(mark, 5), 4, axis=1)))
    reader = Reader(open_images(tmp_path), tokenizer, CodeCache(":memory:"), batch_size=1)
    found = Scanner(reader, mark, read_search("offsets:4,offsets:1", 8), 1e-3).scan([0])
    assert found.log_p[0] < np.log(1e-3)
    assert tokenizer.encoded == 1 + 4  # of 64


def test_half_of_the_error_is_left_to_the_image_itself():
    for spelling in (
        "none",
        "flip",
        "shifts,light",
        "template",
        "template,template/light",
        "flip,template/light,light",
    ):
        price = prices(read_search(spelling, 8))
        assert (1 / price).sum() == pytest.approx(1)
        assert price[0] == (1 if spelling == "none" else 2)


def test_what_is_tried_behind_a_template_leaves_the_template_a_quarter_of_the_error():
    views = read_search("template,template/light", 8)
    price = dict(zip(views, prices(views)[1:], strict=True))
    assert price.pop(View(template=True)) == 4
    assert set(price.values()) == {4 * 18}
    assert len(read_search("flip/light", 8)) == 18


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_false_positives_of_rolls_and_offsets_keep_their_rate_and_lose_little_of_it(alpha):
    """Codes of textures and flat areas, a key an image: what a search with 99 views calls is alpha, or a little less."""
    rng, grid = np.random.default_rng(7), (8, 8)
    views = [(x, y) for y in (-2, -1, 0, 1, 2) for x in (-2, -1, 0, 1, 2)]
    spec, kinds, called, trials = MarkSpec("places"), np.arange(64), 0, 600
    price = prices([View(dx=at + 1) for at in range(len(views) * 4 - 1)])
    for _trial in range(trials):
        mark = Places(spec, Key(rng.bytes(32)), "none", kinds)
        weights = 1 / np.arange(1, 65) ** rng.uniform(0, 2)
        maps = rng.choice(64, (4, 64), p=weights / weights.sum())  # four offsets within a cell
        codes = np.stack([rolled(each, *view, grid) for each in maps for view in views])
        best = best_of_each(tally(codes, mark, np.arange(len(codes)), price), np.zeros(len(codes), np.int64))
        called += int(best.log_pool[0] <= np.log(alpha))
    assert binom.sf(called - 1, trials, alpha) > 1e-3
    assert binom.cdf(called, trials, alpha / 6) > 1e-3


@pytest.fixture(scope="module")
def marked():
    """A photograph of 451x300 pixels, marked at 40 dB through world-vq at 128 pixels, and what detects the mark."""
    world = load_tokenizer("world-vq", device="cpu")
    world.native_size = 128
    mark = mark_for(MarkSpec("places"), Key(bytes(range(32))), world)
    photo = next(each.image for each in open_images("sample/photos").read(0, 9) if "cat" in each.id)
    square, frame = prepared(photo, world), Frame.of(photo, 128)
    green = torch.from_numpy(mark.green_places(0, 256))[None]
    chosen = world.encode_among(to_tensor([square]), green).values
    change = nudge(world, [square], chosen, green, Nudge(), frame.between, [Nudge().size / frame.share**0.5])
    return frame.added(photo, change[0], 8), world, mark


@pytest.mark.parametrize(
    ("attack", "search"),
    [
        ("flip", "flip"),
        ("shift:38:-19", "rolls"),
        ("shift:-7:12", "shifts"),
        ("brightness:1.3", "gains"),
        ("cut:0.9:corner", "scales:0.9/offsets:2/rolls"),
        ("rotate:5", "angles:-5/offsets:4"),
    ],
)
def test_an_edit_that_loses_the_mark_is_undone_by_its_search(marked, attack, search, tmp_path):
    image, world, mark = marked
    (edit,) = read_attacks([attack], Options())
    Image.fromarray(edit.apply(image, 0)).save(tmp_path / "a.png")
    reader = Reader(open_images(tmp_path), world, CodeCache(":memory:"))
    plain, searched = (
        float(Scanner(reader, mark, read_search(each, 8), 1e-30).scan([0]).log_p[0]) for each in ("none", search)
    )
    assert searched < np.log(1e-4) < plain
