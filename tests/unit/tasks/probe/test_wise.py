"""Both versions of WISE against the outputs of their official scripts."""

import json
from pathlib import Path

import pytest

from evalkit.errors import EvalkitError
from evalkit.judges.outcome import outcome
from evalkit.judges.reply import RawReply
from evalkit.tasks.probe.wise import CATEGORIES, LEGACY, VERIFIED, wise_items, wise_score, wise_summary

GOLDEN = json.loads((Path(__file__).parent / "data" / "editing_and_judges.json").read_text())


def legacy():
    digits = GOLDEN["wise_legacy"]["triples"]
    names = [name for name, *_ in LEGACY.parts]
    triples = (digits[3 * i : 3 * i + 3] for i in range(1000))
    return {i + 1: LEGACY.item(dict(zip(names, map(int, triple), strict=True))) for i, triple in enumerate(triples)}


def verified():
    return {i + 1: float(bit) for i, bit in enumerate(GOLDEN["wise_verified"]["bits"])}


@pytest.mark.parametrize(
    ("version", "values", "key"), [(LEGACY, legacy, "wise_legacy"), (VERIFIED, verified, "wise_verified")]
)
def test_scores_are_the_official_ones(version, values, key):
    items = wise_items(values(), version)
    assert wise_score(items, version).value == pytest.approx(GOLDEN[key]["overall"], rel=1e-9)
    overall, *categories = wise_summary(items, version, version.judge)
    assert overall.estimate.value == pytest.approx(GOLDEN[key]["overall"], rel=1e-9)
    assert (overall.name, overall.note) == (version.name, "")
    assert overall.estimate.low < overall.estimate.value < overall.estimate.high
    for name, score in zip(CATEGORIES, categories, strict=True):
        assert score.estimate.value == pytest.approx(GOLDEN[key]["categories"][name.upper()], rel=1e-9)


@pytest.mark.parametrize(("scores", "item"), [((2, 1, 0), 0.8), ((1, 1, 1), 0.5), ((0, 2, 2), 0.3), ((2, 2, 2), 1)])
def test_an_item_is_the_weighted_mean_of_three_scores(scores, item):
    names = [name for name, *_ in LEGACY.parts]
    assert LEGACY.item(dict(zip(names, scores, strict=True))) == pytest.approx(item)


def test_the_overall_score_weighs_categories_and_not_items():
    means = dict(zip(CATEGORIES, (0.8, 0.7, 0.9, 0.8, 0.8, 0.7), strict=True))
    for version, expected in ((LEGACY, 0.7866), (VERIFIED, 0.788)):
        values = {n: means[version.category(n)] for n in version.numbers()}
        assert wise_score(wise_items(values, version), version).value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("version", "ends"),
    [(LEGACY, (400, 401, 567, 568, 700, 701, 1000)), (VERIFIED, (400, 401, 520, 521, 640, 641, 1000))],
)
def test_prompts_fall_into_the_categories_of_their_version(version, ends):
    assert [version.category(n) for n in ends] == ["culture", "time", "time", "space", "space", "biology", "chemistry"]
    for odd in (0, 1001):
        with pytest.raises(EvalkitError, match="1 to 1000"):
            version.category(odd)


def test_a_missing_item_gives_no_score_officially_and_bounds_always():
    values = legacy()
    del values[1000]
    values[999] = "refused"
    items = wise_items(values, LEGACY)
    score = wise_score(items, LEGACY)
    assert (score.value, score.lost) == (None, {"missing": 1, "refused": 1})
    assert "2 of 1000 items are lost" in score.reason
    assert score.best - score.worst == pytest.approx(0.1 * 2 / 100)
    with pytest.raises(EvalkitError, match="wise has no score"):
        wise_summary(items, LEGACY, LEGACY.judge)
    overall = wise_summary(items, LEGACY, LEGACY.judge, "zero")[0]
    assert overall.estimate.value == pytest.approx(score.worst)
    assert overall.bounds == (score.worst, score.best)
    assert overall.note == "policy zero"


def test_refusals_in_one_category_are_warned_of():
    values = legacy() | dict.fromkeys(range(701, 711), "refused")
    overall = wise_summary(wise_items(values, LEGACY), LEGACY, LEGACY.judge, "drop")[0]
    assert "biology 10 of 100" in overall.note


def test_another_judge_s_score_has_another_name():
    names = [score.name for score in wise_summary(wise_items(verified(), VERIFIED), VERIFIED, "gpt-4o-2024-05-13")]
    assert names[:2] == ["wise-verified@gpt-4o-2024-05-13", "wise-verified@gpt-4o-2024-05-13/culture"]


def test_replies_are_read_by_their_version():
    reply = outcome("k", RawReply(text="**Consistency**: 2\nRealism: 1\nAesthetic Quality: 0"), LEGACY.reader())
    assert LEGACY.item(reply.value) == pytest.approx(0.8)
    assert (
        outcome("k", RawReply(text="Consistency: 3\nRealism: 1\nAesthetic Quality: 1"), LEGACY.reader()).state
        == "unparsed"
    )
    assert outcome("k", RawReply(text="Score: 1"), VERIFIED.reader()).value == {"Score": 1}
    assert outcome("k", RawReply(text="Score: 2"), VERIFIED.reader()).state == "unparsed"


def test_prompts_that_are_not_of_the_benchmark_are_refused():
    with pytest.raises(EvalkitError, match="no prompt 1001"):
        wise_items({1001: 1.0}, LEGACY)
