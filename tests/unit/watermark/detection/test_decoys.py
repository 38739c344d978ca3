"""Decoy keys in a detection: the default without a calibration, told everywhere, kept in the run, computed again by verify."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.resealed import resealed

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import How
from evalkit.jobs.options import RunOptions
from evalkit.jobs.task import TASKS
from evalkit.provenance.verify import verify_run
from evalkit.runs.store import read_run
from evalkit.watermark.detection import Rule, calibrate_watermark, decoy_scores, detect_mark
from evalkit.watermark.detection import detect as detecting
from evalkit.watermark.detection.decoy_scores import (
    FILE,
    has_decoys,
    of_folder,
    planned_decoys,
    read_scores,
    usual_count,
)
from evalkit.watermark.detection.page import decoy_line
from evalkit.watermark.methods import Several


@pytest.fixture
def data(toy, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(3):
        (folder / f"m{number}.png").write_bytes(toy.saved(toy.marked(toy.mark(), number)))
    for number in range(9):
        (folder / f"p{number}.png").write_bytes(toy.saved(toy.plain(number)))
    (folder / "x.png").write_bytes(b"")
    return folder


def detected(toy, data, out, mark=None, **given):
    return detect_mark(data, mark or toy.mark(), toy.Blocks(), cache=False, options=RunOptions(out=out), **given)


def test_without_a_calibration_decoys_decide_and_the_run_says_so_everywhere(toy, data, tmp_path):
    run = detected(toy, data, tmp_path / "r")
    told = run.record["detection"]
    assert told["rule"]["decide"] == "decoys"
    assert told["decoys"]["keys"] == 999
    assert told["decoys"]["folder_p"] <= 0.005
    assert not any("averages" in line or "exact p decides" in line for line in told["warnings"])
    rows = {row["id"]: row for row in run.samples.to_pylist()}
    assert {name for name, row in rows.items() if row["verdict"] == "detected"} == {"m0.png", "m1.png", "m2.png"}
    assert rows["m0.png"]["log10_p_decides"] == rows["m0.png"]["log10_p_decoys"] >= rows["m0.png"]["log10_p"]
    assert rows["m0.png"]["decoys_above"] == 0
    assert rows["x.png"]["decoys_above"] is rows["x.png"]["lean"] is None
    metrics = {row["metric"]: row for row in run.results}
    assert 0 <= metrics["decoy_false_calls"]["low"] <= metrics["decoy_false_calls"]["high"] < 0.2
    assert metrics["folder_p"]["value"] == told["decoys"]["folder_p"]
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert decoy_line(run) in page
    assert "exact p" in page
    assert verify_run(run.path).failures == ()


def test_what_decides_follows_from_what_is_given(toy, data, tmp_path):
    calibrate_watermark(data, toy.Blocks(), toy.mark(), tmp_path / "cal.npz", cache=False)
    cases = {
        "exact": {"decoys": 0},
        "larger": {"calibration": tmp_path / "cal.npz"},
        "decoys": {"decoys": 199},
    }
    for decide, given in cases.items():
        run = detected(toy, data, tmp_path / decide, **given)
        assert run.record["detection"]["rule"]["decide"] == decide
        assert (decide == "decoys") == ("decoys" in run.record["detection"])
    searched = detected(toy, data, tmp_path / "searched", search="flip")
    assert searched.record["detection"]["rule"]["decide"] == "decoys"
    both = detected(toy, data, tmp_path / "both", calibration=tmp_path / "cal.npz", decoys=99)
    assert both.record["detection"]["rule"]["decide"] == "larger"
    assert both.record["detection"]["decoys"]["keys"] == 99


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rule": Rule(decide="decoys"), "decoys": 0}, "needs some"),
        ({"decoys": 5}, "too few or too many"),
        ({"decoys": 5000}, "--decoys 99 to 3999"),
    ],
)
def test_what_cannot_be_had_is_said_before_any_work(toy, data, tmp_path, given, words):
    with pytest.raises(EvalkitError, match=words):
        detected(toy, data, tmp_path / "r", **given)
    assert not (tmp_path / "r").exists()


def test_several_keys_have_decoys_and_mixed_methods_have_none(toy, data, tmp_path):
    several = Several([toy.mark(), toy.mark(key=bytes(range(1, 33)))])
    run = detected(toy, data, tmp_path / "r", several)
    assert run.record["detection"]["rule"]["decide"] == "decoys"
    assert run.record["detection"]["counts"]["detected"] == 3
    lbw, places = {"method": "lbw", "gamma": 0.5}, {"method": "places", "gamma": 0.5}
    assert has_decoys({"marks": [lbw, lbw]})
    assert not has_decoys({"marks": [lbw, places]})
    assert not has_decoys({"method": "unheard of"})
    assert [usual_count({"method": "lbw", "lists": lists}) for lists in (1, 16, 1024)] == [999, 500, 199]
    assert [usual_count({"method": "gumbel", "lists": lists}) for lists in (1, 16)] == [499, 199]
    assert has_decoys({"method": "tournament"})
    assert has_decoys({"method": "payload"})


def test_the_plan_holds_no_key_and_the_same_decoys_are_drawn_again(toy, data, tmp_path):
    first, again = (detected(toy, data, tmp_path / name) for name in ("a", "b"))
    assert (first.path / FILE).read_bytes() == (again.path / FILE).read_bytes()
    other = detected(toy, data, tmp_path / "c", toy.mark(key=bytes(range(2, 34))))
    assert (first.path / FILE).read_bytes() == (other.path / FILE).read_bytes()  # of the images, not of the key
    assert toy.mark().key.secret.hex() not in (first.path / "plan.json").read_text()


@pytest.mark.parametrize("column", ["decoys_above", "lean", "log10_p_decoys"])
def test_a_changed_cell_is_named(toy, data, tmp_path, column):
    run = detected(toy, data, tmp_path / "r")
    values = run.samples[column].to_pylist()
    at = run.samples["id"].to_pylist().index("p3.png")
    values[at] = {"decoys_above": 0, "lean": 3.0, "log10_p_decoys": -9.0}[column]
    place = run.samples.column_names.index(column)
    table = run.samples.set_column(place, column, pa.array(values, run.samples.schema.field(column).type))
    pq.write_table(table, run.path / "samples.parquet")
    outcome = TASKS.get("watermark-detect").checks().recompute(read_run(resealed(run.path)), How())
    assert any("p3.png" in failure.reason and column in failure.reason for failure in outcome.failures)


def test_changed_decoys_are_noticed(toy, data, tmp_path):
    run = detected(toy, data, tmp_path / "r", decoys=199)
    good = run.samples.filter(run.samples["error"].is_null())
    scores = read_scores((run.path / FILE).read_bytes(), good.num_rows, 199)
    assert scores.shape == (12, 199)
    with pytest.raises(EvalkitError, match="does not hold"):
        read_scores((run.path / FILE).read_bytes(), good.num_rows, 198)
    with pytest.raises(EvalkitError, match="does not hold"):
        read_scores(b"nothing", good.num_rows, 199)


def test_a_run_from_before_decoys_still_verifies(toy, data, tmp_path):
    run = detected(toy, data, tmp_path / "r", decoys=0)
    table = run.samples.drop_columns(["decoys_above", "lean", "log10_p_decoys"])
    pq.write_table(table, run.path / "samples.parquet")
    plan = json.loads((run.path / "plan.json").read_bytes())
    assert plan["parameters"].pop("decoys") is None
    outcome = TASKS.get("watermark-detect").checks().recompute(read_run(resealed(run.path)), How())
    assert outcome.failures == ()


def test_the_folders_p_does_not_call_an_unmarked_folder(toy, tmp_path):
    (tmp_path / "plain").mkdir()
    for number in range(20):
        (tmp_path / "plain" / f"{number}.png").write_bytes(toy.saved(toy.plain(number)))
    run = detected(toy, tmp_path / "plain", tmp_path / "r", decoys=199)
    assert run.record["detection"]["decoys"]["folder_p"] > 0.01
    assert np.isfinite(run.samples["lean"].to_numpy()).all()


def test_the_usual_decision_needs_no_argument():
    assert detecting.default_decision(None, 999) == "decoys"
    assert detecting.default_decision(None, 0) == "exact"
    assert detecting.default_decision("cal.npz", 999) == "larger"


def test_a_run_is_ranked_by_the_rule_that_its_plan_says(monkeypatch):
    rules = []

    def ranked(scores, alpha, floor, *, even, shared, digits, tail):
        rules.append((even, shared, digits, tail, floor is not None))

    monkeypatch.setattr(decoy_scores, "ranked", ranked)
    now = planned_decoys({"method": "lbw"}, 99, 0)
    capped = {name: value for name, value in now.items() if name != "tail"}
    before = {name: value for name, value in capped.items() if name != "digits"}
    for plan in ({}, {"even": True}, before, capped, now):
        of_folder(None, 0.01, plan, np.zeros(3))
    shared, digits = decoy_scores.SHARED, decoy_scores.TIE
    assert rules == [
        (False, 0.0, 3, False, False),
        (True, 0.0, 3, False, False),
        (True, shared, 3, False, False),
        (True, shared, digits, False, True),
        (True, shared, digits, True, True),
    ]
