"""Rules against the official code: kept boxes, verdict and reason of each case, letter by letter."""

import gzip
import json
from pathlib import Path

import pytest

from evalkit.encoders.detectors.detection import Detection
from evalkit.errors import EvalkitError
from evalkit.tasks.probe.geneval.keep import keep
from evalkit.tasks.probe.geneval.options import RuleOptions, options_of
from evalkit.tasks.probe.geneval.prompts import geneval_prompts, prompt_of
from evalkit.tasks.probe.geneval.verdict import verdict

CASES = [
    json.loads(line)
    for line in gzip.decompress((Path(__file__).parent / "data" / "rules.jsonl.gz").read_bytes()).splitlines()
]


def found(case):
    return {
        name: [
            Detection(name, tuple(row[:4]), row[4], None, case.get("c", {}).get(name, [None] * 99)[i])
            for i, row in enumerate(rows)
        ]
        for name, rows in case["d"].items()
    }


def test_the_cases_hold_all_that_matters():
    assert {geneval_prompts()[case["m"]].tag for case in CASES} == {p.tag for p in geneval_prompts()}
    assert any("o" in case for case in CASES)
    assert any("no target" in case["why"] for case in CASES)
    assert any("found  target" in case["why"] for case in CASES)
    assert any("<" in case["why"] for case in CASES)


def test_kept_boxes_verdicts_and_reasons_are_the_official_ones():
    for case in CASES:
        prompt, options, classes = geneval_prompts()[case["m"]], options_of(case.get("o", {})), found(case)
        places = {id(each): i for rows in classes.values() for i, each in enumerate(rows)}
        kept = keep([each for rows in classes.values() for each in rows], prompt.tag, options)
        said = verdict(prompt, kept, options)
        assert {name: [places[id(each)] for each in rows] for name, rows in kept.items()} == case["k"]
        assert (said.correct, said.reason) == (case["ok"], case["why"])
        assert len(said.kinds) == len(said.reasons)


def thing(name, score, box=(0, 0, 10, 10), color=None):
    return Detection(name, tuple(map(float, box)), score, None, color)


def test_a_score_at_the_threshold_does_not_count():
    assert keep([thing("dog", 0.3)], "single_object", RuleOptions()) == {}
    assert keep([thing("dog", 0.9), thing("dog", 0.91)], "counting", RuleOptions()) == {"dog": [thing("dog", 0.91)]}


def test_of_equal_scores_the_later_one_leads():
    first, second = thing("dog", 0.5, (0, 0, 1, 1)), thing("dog", 0.5, (5, 5, 6, 6))
    assert keep([first, second], "colors", RuleOptions())["dog"] == [second, first]


def test_boxes_that_cover_each_other_are_kept_unless_that_is_asked_for():
    twice = [thing("dog", 0.5), thing("dog", 0.4)]
    assert len(keep(twice, "colors", RuleOptions())["dog"]) == 2
    assert len(keep(twice, "colors", RuleOptions(max_overlap=0.9))["dog"]) == 1


def prompt(*include, exclude=()):
    return prompt_of({"tag": "x", "include": list(include), "exclude": list(exclude), "prompt": "p"}, "0")


def test_a_single_object_need_not_be_alone_and_counting_must_be_exact():
    three = {"dog": [thing("dog", 0.99)] * 3}
    assert verdict(prompt({"class": "dog", "count": 1}), three).correct
    said = verdict(prompt({"class": "dog", "count": 2}, exclude=[{"class": "dog", "count": 3}]), three)
    assert (said.reason, said.kinds) == ("expected dog<3, found 3", ("excess",))


def test_only_the_surest_instances_are_asked_for_their_colour():
    dogs = {"dog": [thing("dog", 0.9, color="blue"), thing("dog", 0.8, color="red"), thing("dog", 0.7)]}
    said = verdict(prompt({"class": "dog", "count": 1, "color": "red"}), dogs)
    assert said.reason == "expected red dog>=1, found 0 red; and 1 blue"
    assert verdict(prompt({"class": "dog", "count": 1, "color": "blue"}), dogs).correct


def test_a_colour_that_nobody_was_asked_for_is_no_failure_of_the_image():
    with pytest.raises(EvalkitError, match="no colour of a dog"):
        verdict(prompt({"class": "dog", "count": 1, "color": "red"}), {"dog": [thing("dog", 0.9)]})


def test_a_subject_without_its_target_fails_for_that():
    clauses = {"class": "cat", "count": 1}, {"class": "dog", "count": 1, "position": ["left of", 0]}
    said = verdict(prompt(*clauses), {"dog": [thing("dog", 0.9)]})
    assert said.reason == "expected cat>=1, found 0\nno target for dog to be left of"
    assert said.kinds == ("missing", "position")
