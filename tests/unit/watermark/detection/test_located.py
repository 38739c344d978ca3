"""Regions and gaps: an unmarked image seldom gets a region, an evenly marked one seldom a gap; what was pasted is framed."""

import json

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.decoys.regions import windows
from evalkit.watermark.detection import detect_mark
from evalkit.watermark.detection.aggregate import count_located
from evalkit.watermark.detection.heat import outlined
from evalkit.watermark.detection.located import Locator, as_json
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, build_mark

SIDE, VOCABULARY = 24, 2048


def locator(method="lbw", keys=199):
    mark = build_mark(MarkSpec(method), Key(bytes(range(32))), "toy@x", VOCABULARY)
    return mark, Locator(mark, decoys_of(mark, keys, "seed"))


def pasted(mark, rng, share=0.1, at=(3, 15)):
    """Unmarked codes with a marked square of this share of the area at (row, column)."""
    codes = rng.integers(0, VOCABULARY, (SIDE, SIDE))
    side = round(SIDE * share**0.5)
    green = np.flatnonzero(mark.green_codes(0))
    patch = rng.choice(green, (side, side))
    kept = rng.random((side, side)) < 0.8
    here = (slice(at[0], at[0] + side), slice(at[1], at[1] + side))
    codes[here] = np.where(kept, patch, codes[here])
    return codes.ravel()


def test_unmarked_images_get_a_region_at_most_at_the_level():
    _, looker = locator()
    rng = np.random.default_rng(0)
    found = [looker.found(rng.integers(0, 300, 256), (16, 16), ()) for _ in range(25)]
    assert sum(bool(regions) for regions, _ in found) <= 2  # 0.25 by chance
    assert all(not gaps for regions, gaps in found if not regions)


def test_a_pasted_tenth_of_the_area_is_found_where_it_lies():
    mark, looker = locator()
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(8):
        regions, gaps = looker.found(pasted(mark, rng), (SIDE, SIDE), ())
        assert not gaps  # unmarked by nine tenths: that is no gap in a marked image
        if regions:
            left, top, right, bottom = regions[0].window.as_box()
            hits += left < 19 / SIDE < right and top < 7 / SIDE < bottom and regions[0].window.share <= 0.25
    assert hits >= 7


def test_a_marked_image_is_one_region_of_all_its_area():
    mark, looker = locator()
    regions, gaps = looker.found(pasted(mark, np.random.default_rng(2), 1.0, (0, 0)), (SIDE, SIDE), ())
    assert [each.window.share for each in regions] == [1.0]
    assert gaps == ()


def replaced(mark, rng, at, share=0.1, ground=None):
    """Marked codes of which a square is unmarked again; `ground`: a code that fills the lower half before that."""
    codes = pasted(mark, rng, 1.0, (0, 0)).reshape(SIDE, SIDE)
    if ground is not None:
        codes[SIDE // 2 :] = ground
    side = round(SIDE * share**0.5)
    codes[at[0] : at[0] + side, at[1] : at[1] + side] = rng.integers(0, VOCABULARY, (side, side))
    return codes.ravel()


def test_a_replaced_tenth_of_a_marked_image_is_a_gap_where_it_lies():
    mark, looker = locator()
    rng = np.random.default_rng(5)
    for _ in range(3):
        regions, gaps = looker.found(replaced(mark, rng, (3, 15)), (SIDE, SIDE), ())
        assert regions
        left, top, right, bottom = (SIDE * each for each in gaps[0].window.as_box())
        assert 15 < (left + right) / 2 < 23
        assert 3 < (top + bottom) / 2 < 11


def test_evenly_marked_images_get_a_gap_at_most_at_the_level_also_above_a_plain_red_ground():
    mark, looker = locator()
    rng = np.random.default_rng(6)
    red = int(np.flatnonzero(~mark.green_codes(0))[0])
    codes = [replaced(mark, rng, (0, 0), share=0.0, ground=red) for _ in range(6)]
    found = [looker.found(each, (SIDE, SIDE), ()) for each in codes]
    assert all(regions for regions, _ in found)
    assert sum(bool(gaps) for _, gaps in found) <= 1  # 0.06 by chance


def test_without_a_layout_there_are_no_regions():
    mark, looker = locator()
    assert looker.found(pasted(mark, np.random.default_rng(3)), None, ()) == ((), ())


def test_places_keep_their_place_in_a_window():
    mark, looker = locator("places")
    rng = np.random.default_rng(4)
    codes = rng.integers(0, VOCABULARY, SIDE**2).reshape(SIDE, SIDE)
    green = mark.green_places(0, SIDE**2).reshape(SIDE, SIDE, VOCABULARY)
    for y in range(10):
        for x in range(10):
            codes[y, x] = rng.choice(np.flatnonzero(green[y, x]))
    (first, *_), _ = looker.found(codes.ravel(), (SIDE, SIDE), ())
    assert first.window.as_box()[:2] == [0.0, 0.0]
    assert json.loads(as_json([first])) == [{"box": first.window.as_box(), "p": round(first.p, 6)}]


def test_the_run_says_where_and_frames_it(toy, tmp_path):
    (tmp_path / "data").mkdir()
    mark = toy.mark(1, kind="independent")
    quarter = toy.plain(1)
    quarter[:32, :32] = toy.marked(mark, 1)[:32, :32]
    for name, pixels in (("quarter", quarter), ("whole", toy.marked(mark, 2)), ("plain", toy.plain(3))):
        (tmp_path / "data" / f"{name}.png").write_bytes(toy.saved(pixels))
    run = detect_mark(
        tmp_path / "data", mark, toy.Blocks(), regions=True, cache=False, options=RunOptions(out=tmp_path / "r")
    )
    share = dict(zip(run.samples["id"].to_pylist(), run.samples["region_share"].to_pylist(), strict=True))
    assert share["plain.png"] == 0
    assert 0 < share["quarter.png"] < share["whole.png"] == 1
    assert run.record["detection"]["regions"]["images"] == 2
    assert run.record["detection"]["regions"]["gaps"] == 0
    assert set(run.samples["gap_share"].to_pylist()) == {0.0}
    assert next(row["value"] for row in run.results if row["metric"] == "with_regions") == 2
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "Regions that carry the mark: in 2 of 3 images" in page
    assert verify_run(run.path).failures == ()


def test_a_frame_is_drawn_around_each_region():
    grey = np.full((96, 96, 3), 128, np.uint8)
    framed = np.asarray(outlined(grey, '[{"box": [0.5, 0.5, 1.0, 1.0], "p": 0.001}]'))
    assert (framed[48, 60] == (196, 62, 48)).all()
    assert (framed[:40] == 128).all()
    assert np.array_equal(np.asarray(outlined(grey, None)), grey)
    crossed = np.asarray(outlined(grey, None, '[{"box": [0.5, 0.5, 1.0, 1.0], "p": 0.001}]'))
    assert (crossed[72, 72] == (20, 20, 20)).all()


def test_regions_of_a_method_without_decoys_are_refused(toy, tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(toy.saved(toy.plain(1)))
    monkeypatch.setattr("evalkit.watermark.detection.detect.has_decoys", lambda said: False)
    with pytest.raises(EvalkitError, match="regions need decoy keys"):
        detect_mark(tmp_path / "data", toy.mark(), toy.Blocks(), regions=True, cache=False)


def test_windows_keep_to_the_edges_of_codes_and_hold_squares_and_strips():
    for rows, columns in ((8, 8), (16, 16), (24, 16), (12, 12)):
        tried = windows(rows, columns)
        assert len(set(tried)) == len(tried)
        assert all(0 <= each.left < each.right <= columns and 0 <= each.top < each.bottom <= rows for each in tried)
        covered = sum(each.known().astype(int) for each in tried if each.share <= 0.1)
        assert (covered > 0).all()
    shapes = {(each.right - each.left, each.bottom - each.top) for each in windows(16, 16)}
    assert {(4, 4), (6, 3), (3, 6), (16, 16)} <= shapes


def test_a_run_of_the_rule_before_has_no_gaps_and_verifies_by_its_own_rule(toy, tmp_path):
    (tmp_path / "data").mkdir()
    mark = toy.mark(1, kind="independent")
    (tmp_path / "data" / "a.png").write_bytes(toy.saved(toy.marked(mark, 2)))
    run = detect_mark(
        tmp_path / "data", mark, toy.Blocks(), regions=True, cache=False, options=RunOptions(out=tmp_path / "r")
    )
    parts = Tables(run.samples.drop_columns(["gaps", "gap_share"]))
    assert count_located(parts, {"level": 0.01}) == {"images": 1}
    assert count_located(Tables(run.samples), {"level": 0.01, "rule": 2}) == {"images": 1, "gaps": 0}
    assert count_located(parts, None) == {}


class Tables:
    """Parts that hold one table."""

    def __init__(self, table):
        self.table = table

    def tables(self):
        return [self.table]
