"""Calibrated p-values: conformal, by strata, for the same conditions only, and suspicious of their null images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.watermark.detection import (
    Calibration,
    Rule,
    calibrate_watermark,
    detect_mark,
    read_calibration,
    write_calibration,
)
from evalkit.watermark.detection.calibration import strata_edges
from evalkit.watermark.detection.nulls import contamination
from evalkit.watermark.detection.page import decided_by, most_significant, open_because, shown_row, verdict_line
from evalkit.watermark.methods.subject import read_frequencies


def simple(statistic, effect=None, edges=()):
    effect = np.ones(len(statistic)) if effect is None else np.asarray(effect)
    return Calibration(
        np.asarray(statistic, float), effect, edges, np.zeros(4, np.int64), {"mark": {}, "tokenizer": "t"}
    )


def nulls(toy, folder, count, start=0):
    folder.mkdir(exist_ok=True)
    for i in range(start, start + count):
        (folder / f"{i}.png").write_bytes(toy.saved(toy.plain(i)))
    return folder


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=30), st.floats(-1, 3))
def test_the_conformal_p_counts_null_images_that_are_at_least_as_green(scores, s):
    p, _, n = simple(scores).p_values(np.array([s]), np.ones(1))
    assert p[0] == pytest.approx((1 + sum(each >= s - 1e-9 for each in scores)) / (len(scores) + 1))
    assert n[0] == len(scores)
    assert p[0] >= 1 / (len(scores) + 1)


def test_conformal_p_values_of_exchangeable_images_are_uniform_or_larger():
    rng = np.random.default_rng(0)
    p = np.concatenate([simple(rng.normal(size=99)).p_values(rng.normal(size=20), np.ones(20))[0] for _ in range(200)])
    for level in (0.01, 0.05, 0.2):
        assert (p <= level + 1e-12).mean() <= level + 4 * np.sqrt(level / len(p) * 8)  # 20 share a calibration


def test_images_are_compared_within_their_stratum():
    calibration = simple([0, 0, 0, 5, 5, 5], [1, 1, 1, 9, 9, 9], (3.0,))
    p, stratum, n = calibration.p_values(np.array([1.0, 1.0]), np.array([1.0, 20.0]))
    assert p.tolist() == [0.25, 1.0]
    assert stratum.tolist() == [0, 1]
    assert n.tolist() == [3, 3]


@settings(deadline=None)
@given(st.lists(st.floats(1, 30), min_size=1, max_size=60), st.integers(1, 20))
def test_strata_hold_enough_null_images_or_there_is_one(effects, least):
    effect = np.array(effects)
    edges = strata_edges(effect, "flatness", least)
    counts = np.bincount(simple(effect, effect, edges).strata(effect), minlength=len(edges) + 1)
    assert not edges or counts.min() >= least
    assert strata_edges(effect, "none", 1) == ()


@pytest.mark.parametrize("name", ["cal.npz", "cal.json"])
def test_a_calibration_comes_back_and_is_the_same_bytes_again(toy, tmp_path, name):
    folder, mark = nulls(toy, tmp_path / "null", 30), toy.mark()
    done = calibrate_watermark(folder, toy.Blocks(), mark, tmp_path / name, cache=False)
    back = read_calibration(tmp_path / name)
    assert np.array_equal(back.statistic, done.calibration.statistic)
    assert back.conditions["mark"]["key_id"] == mark.key.id
    first = (tmp_path / name).read_bytes()
    calibrate_watermark(folder, toy.Blocks(), mark, tmp_path / name, cache=False)
    assert (tmp_path / name).read_bytes() == first
    assert mark.key.secret.hex().encode() not in first
    assert done.calibration.frequencies.sum() == 30 * 64
    if name.endswith(".npz"):
        assert np.array_equal(read_frequencies(tmp_path / name), back.frequencies)


def test_calibrated_p_values_stand_beside_the_exact_ones_and_may_decide(toy, tmp_path):
    mark, tokenizer = toy.mark(), toy.Blocks()
    calibrate_watermark(nulls(toy, tmp_path / "null", 50), tokenizer, mark, tmp_path / "cal.npz", cache=False)
    data = nulls(toy, tmp_path / "data", 4, start=1000)
    (data / "m.png").write_bytes(toy.saved(toy.marked(mark, 1)))
    runs = {}
    for decide in ("exact", "calibrated", "larger"):
        runs[decide] = detect_mark(
            data, mark, tokenizer, rule=Rule(1e-3, decide=decide), calibration=tmp_path / "cal.npz", cache=False,
            options=RunOptions(out=tmp_path / decide),
        )  # fmt: skip
    row = next(row for row in runs["exact"].samples.to_pylist() if row["id"] == "m.png")
    assert row["verdict"] == "detected"
    assert row["p_calibrated"] == pytest.approx(1 / 51)
    assert row["n_calibration"] == 50
    assert row["p"] < 1e-15
    # 50 null images cannot speak of 1e-3, and the run says so
    assert set(runs["larger"].samples["verdict"].to_pylist()) == {"inconclusive"}
    assert "1,000 null images would be enough" in runs["larger"].record["detection"]["warnings"][0]
    assert "calibrated p" in (tmp_path / "exact" / "report.html").read_text()


def test_an_image_that_its_calibration_leaves_open_says_so_everywhere(toy, tmp_path):
    mark, tokenizer = toy.mark(), toy.Blocks()
    calibrate_watermark(nulls(toy, tmp_path / "null", 50), tokenizer, mark, tmp_path / "cal.npz", cache=False)
    data = nulls(toy, tmp_path / "data", 4, start=1000)
    (data / "flat.png").write_bytes(toy.saved(np.zeros((64, 64, 3), np.uint8)))
    options = RunOptions(out=tmp_path / "run")
    run = detect_mark(data, mark, tokenizer, calibration=tmp_path / "cal.npz", cache=False, options=options)
    why = dict(zip(run.samples["id"].to_pylist(), run.samples["why"].to_pylist(), strict=True))
    assert why.pop("flat.png") == "too few different codes"
    assert set(why.values()) == {"too few null images in its calibration"}
    said = "1 too few different codes, 4 too few null images"
    assert open_because(run.record["detection"]["counts"]) == said
    assert said in (tmp_path / "run" / "report.html").read_text()
    assert any(
        "4 of 5 images are inconclusive because their calibration" in w for w in run.record["detection"]["warnings"]
    )


def test_the_p_that_decides_is_in_the_rows_the_table_and_the_plot(toy, tmp_path, monkeypatch):
    mark, tokenizer, plotted = toy.mark(), toy.Blocks(), []
    calibrate_watermark(nulls(toy, tmp_path / "null", 50), tokenizer, mark, tmp_path / "cal.npz", cache=False)
    data = nulls(toy, tmp_path / "data", 3, start=1000)
    (data / "m.png").write_bytes(toy.saved(toy.marked(mark, 1)))
    monkeypatch.setattr("evalkit.watermark.detection.page.qq_plot", lambda p, alpha: plotted.append(sorted(p)) or "")
    run = detect_mark(
        data, mark, tokenizer, rule=Rule(0.05, decide="larger"), calibration=tmp_path / "cal.npz", cache=False,
        options=RunOptions(out=tmp_path / "run"),
    )  # fmt: skip
    rows = run.samples.to_pylist()
    wanted = [max(row["log10_p"], np.log10(row["p_calibrated"])) for row in rows]
    assert [row["log10_p_decides"] for row in rows] == pytest.approx(wanted)
    assert plotted[-1] == pytest.approx(sorted(wanted))
    first = shown_row(most_significant(run, 1)[0])
    assert (first["id"], first["p_decides"], decided_by(run)) == ("m.png", "0.020", "larger p")  # 1 / 51


@pytest.mark.parametrize(
    ("decide", "fdr", "words"),
    [
        ("exact", None, "without any marked image at most 0.2000 would be, averaged over keys."),
        ("larger", None, "without any marked image at most 0.2000 would be, where images are like the null ones."),
        ("exact", 0.05, "at most 0.0500 false groups are expected among them, averaged over keys."),
        ("larger", 0.05, "at most 0 false groups are expected among them, where images are like the null ones."),
    ],
)
def test_the_screen_says_over_what_its_rate_is_an_average(toy, tmp_path, decide, fdr, words):
    mark, tokenizer = toy.mark(), toy.Blocks()
    calibrate_watermark(nulls(toy, tmp_path / "null", 50), tokenizer, mark, tmp_path / "cal.npz", cache=False)
    data = nulls(toy, tmp_path / "data", 3, start=1000)
    (data / "m.png").write_bytes(toy.saved(toy.marked(mark, 1)))
    run = detect_mark(
        data, mark, tokenizer, rule=Rule(0.05, fdr, decide), calibration=tmp_path / "cal.npz", cache=False,
        options=RunOptions(out=tmp_path / "run"),
    )  # fmt: skip
    assert verdict_line(run).endswith(words)
    warned = any("average over keys" in each for each in run.record["detection"]["warnings"])
    assert warned == (decide == "exact")


@pytest.mark.parametrize(
    ("change", "words"), [("key", "another mark or key"), ("search", "another search"), ("lists", "lists 2")]
)
def test_a_calibration_of_other_conditions_is_refused(toy, tmp_path, change, words):
    folder = nulls(toy, tmp_path / "null", 5)
    used = toy.mark(lists=2) if change == "lists" else toy.mark(key=bytes(32)) if change == "key" else toy.mark()
    search = "flip" if change == "search" else "none"
    calibrate_watermark(folder, toy.Blocks(), used, tmp_path / "cal.npz", cache=False, search=search)
    with pytest.raises(EvalkitError, match=words):
        detect_mark(
            folder, toy.mark(), toy.Blocks(), calibration=tmp_path / "cal.npz", options=RunOptions(out=tmp_path / "r")
        )


def test_another_tokenizer_or_preparation_is_refused():
    calibration = simple([1.0])
    for name, words in (("tokenizer", "another tokenizer"), ("preparation", "another preparation")):
        with pytest.raises(EvalkitError, match=words):
            calibration.check({"mark": {}, "tokenizer": "t", name: "other"}, "cal.npz")
    with pytest.raises(EvalkitError, match="made without a key"):
        Calibration(np.zeros(0), np.zeros(0), (), np.zeros(4, np.int64), {"mark": None}).check({}, "cal.npz")


def test_marked_images_among_the_null_ones_are_noticed(toy, tmp_path):
    mark = toy.mark()
    folder = nulls(toy, tmp_path / "null", 40)
    (folder / "m.png").write_bytes(toy.saved(toy.marked(mark, 1)))
    done = calibrate_watermark(folder, toy.Blocks(), mark, tmp_path / "cal.npz", cache=False)
    assert done.calibration.suspicious == 1
    assert "1 of 41 null images look marked" in done.warnings[0]
    run = detect_mark(
        folder,
        mark,
        toy.Blocks(),
        calibration=tmp_path / "cal.npz",
        cache=False,
        options=RunOptions(out=tmp_path / "r"),
    )
    assert "look marked themselves" in run.record["detection"]["warnings"][0]
    assert "look marked themselves" in (tmp_path / "r" / "report.html").read_text()


def test_a_key_that_suits_the_null_images_is_noticed_and_a_fair_one_is_not():
    rng = np.random.default_rng(0)
    assert contamination(np.log(rng.uniform(size=1000)), 0) == ()
    (said,) = contamination(np.log(rng.uniform(size=1000) ** 2), 0)
    assert "this key suits such images" in said


def test_of_copies_the_first_alone_counts_and_unreadable_files_are_listed(toy, tmp_path):
    folder = nulls(toy, tmp_path / "null", 6)
    for i in range(4):
        (folder / f"copy{i}.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "empty.png").write_bytes(b"")
    done = calibrate_watermark(folder, toy.Blocks(), toy.mark(), tmp_path / "cal.npz", cache=tmp_path / "c")
    assert (len(done.calibration.statistic), done.images, done.copies) == (6, 10, 4)
    assert [id for id, _ in done.failed] == ["empty.png"]
    assert done.calibration.frequencies.sum() == 6 * 64


def test_without_a_mark_only_codes_are_counted(toy, tmp_path):
    done = calibrate_watermark(nulls(toy, tmp_path / "null", 5), toy.Blocks(), None, tmp_path / "c.npz", cache=False)
    assert len(done.calibration.statistic) == 0
    assert done.strata == {}
    assert read_calibration(tmp_path / "c.npz").frequencies.sum() == 5 * 64


def test_files_that_are_no_calibration_are_said_so(toy, tmp_path):
    (tmp_path / "words.npz").write_bytes(b"words")
    (tmp_path / "words.json").write_bytes(b"{}")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    write_calibration(tmp_path / "good.npz", simple([1.0]))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:-40])
    for name in ("words.npz", "words.json", "other.npz", "cut.npz"):
        with pytest.raises(EvalkitError, match="is no calibration"):
            read_calibration(tmp_path / name)
    with pytest.raises(EvalkitError, match="cannot be read"):
        read_calibration(tmp_path / "nothing.npz")
    with pytest.raises(EvalkitError, match=r"an \.npz or a \.json file"):
        calibrate_watermark(tmp_path, toy.Blocks(), None, tmp_path / "cal.csv")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"")
    with pytest.raises(EvalkitError, match="none of the 1 images"):
        calibrate_watermark(tmp_path / "bad", toy.Blocks(), None, tmp_path / "x.npz", cache=False)
