"""Summaries against the official script's own output, and intervals over prompts."""

import json
from pathlib import Path

import pytest

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.geneval.prompts import geneval_prompts
from evalkit.tasks.probe.geneval.summary import official_text, summarise
from evalkit.tasks.probe.rows import ProbeRow

GOLDEN = json.loads((Path(__file__).parent / "data" / "summary.json").read_text())


def full():
    bits = GOLDEN["full"]["bits"]
    return [
        ProbeRow(f"{p.id}/{s}", p.id, s, p.tag, float(bits[4 * i + s]))
        for i, p in enumerate(geneval_prompts())
        for s in range(4)
    ]


def partial():
    return [full()[place] for place in GOLDEN["partial"]["index"]]


def test_the_summary_is_the_official_one_letter_by_letter():
    assert official_text(full()) == GOLDEN["full"]["stdout"]
    assert official_text(partial()) == GOLDEN["partial"]["stdout"]
    assert official_text(partial()[:3]) == GOLDEN["one"]["stdout"]


def test_the_overall_score_is_the_mean_of_tasks_and_not_of_images():
    scores = {score.name: score.estimate for score in summarise(full())}
    tasks = [
        scores[f"geneval/{t}"].value
        for t in ("single_object", "two_object", "counting", "colors", "position", "color_attr")
    ]
    assert scores["geneval"].value == pytest.approx(sum(tasks) / 6, abs=1e-12)
    assert round(scores["geneval"].value, 5) == 0.56336
    assert round(scores["geneval/images"].value, 4) == 0.5533
    assert round(scores["geneval/prompts"].value, 4) == 0.8716
    assert all(e.low < e.value < e.high for e in scores.values())


def test_intervals_draw_whole_prompts():
    once = summarise([row for row in full() if row.sample == 0])[0].estimate
    copies = [
        ProbeRow(f"{row.image}{k}", row.prompt, k, row.task, row.score)
        for row in full()
        if row.sample == 0
        for k in range(4)
    ]
    again = summarise(copies)[0].estimate
    assert again.value == pytest.approx(once.value)
    assert again.high - again.low == pytest.approx(once.high - once.low, rel=0.02)


def test_the_name_goes_before_every_score():
    assert [s.name for s in summarise(full()[:4], "mine")] == [
        "mine",
        "mine/single_object",
        "mine/images",
        "mine/prompts",
    ]


@pytest.mark.parametrize("makes", [summarise, official_text])
def test_nothing_has_no_summary(makes):
    with pytest.raises(EvalkitError, match="no image"):
        makes([])
