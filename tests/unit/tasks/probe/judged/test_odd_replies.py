"""Odd replies as the official code reads them; expected values are of the official functions, run beside ours."""

import json

import pytest
from helpers.goldens import read
from helpers.judged import judged_rows, small_data

from evalkit.tasks.probe.judged.calls import asked_of
from evalkit.tasks.probe.judged.suite import judged_suite

KRIS = '{"instruction_score": 3, "knowledge_score": 2'
UNIGEN = "<analysis>{}</analysis><score>{}</score>"
ODD = [
    # whole numbers as Python's int reads them, lists as JSON; what no root can be taken of is asked for anew
    ("viescore", "007", [7]),
    ("viescore", "-0", [0]),
    ("viescore", "1_0", [10]),
    ("viescore", "٧", [7]),
    ("viescore", "11", None),
    ("viescore", "8/10", None),
    ("viescore", "[8, 9]", [8, 9]),
    ("viescore", "[٣, ٤]", None),
    ("viescore", '{"score": ["8", "9"]}', None),
    ("viescore", '{"score": [-1, 5]}', None),
    ("viescore", '{"score": []}', None),
    ("viescore", '{"score": true}', [1]),
    ("viescore", "{score: true}", None),
    ("viescore", '{"score": [8, 9,], "reasoning": "x"}', None),
    ("viescore", "", None),
    # a text as long as the points is an analysis; what JSON and Python write differently loses the image
    ("unigenbench", UNIGEN.format('"ab"', "[1, 0]"), [1, 0]),
    ("unigenbench", UNIGEN.format('["a", "b"]', "1, 0"), [1, 0]),
    ("unigenbench", UNIGEN.format('["a", ["b", None]]', "[1, 0]"), None),
    ("unigenbench", UNIGEN.format('["a", "b"]', "[True, 0]"), None),
    ("unigenbench", UNIGEN.format('["a", "b"]', "{1, 0}"), None),
    ("unigenbench", UNIGEN.format('["a", "b"]', '"10"'), None),
    ("unigenbench", UNIGEN.format('["a", "b"]', "[1.0, 2]"), [1, 0]),
    # the authors' code looks for a flat object, then for bare names
    ("kris-dual", KRIS, None),
    ("kris-dual", KRIS + ', "n": {"a": 1}}', None),
    ("kris-dual", KRIS + "}", {"instruction": 3, "knowledge": 2}),
    ("kris-dual", '{"knowledge_score": 2}', None),
    ("kris-dual", "Instruction score：3", {"instruction": 3, "knowledge": None}),
    ("kris-dual", '{"instruction_score": "three"} instruction score: 4', {"instruction": 4, "knowledge": None}),
    ("kris-consistency", '{"consistency_score": null} 3/5', 3),
    ("kris-knowledge-consistency", '{"consistency_score": null} 3/5', None),
    ("kris-consistency", "2 dogs; consistency score 5", 5),
    ("kris-knowledge-consistency", "2 dogs; consistency score 5", 2),
    ("kris-plain-consistency", "2 dogs; consistency_score: 5", 2),
    ("kris-plain-quality", '{"quality_score": 5}', 5),
    ("wiseedit", '{"score": 11} 3/10', None),
    ("wiseedit", '{"score": "7.5"} 3/10', 3),
    ("imgedit", "a: ２\nb: 5/5", [2]),
    ("risebench", "Final Score: 4.5", [4]),
    ("risebench", "Final Scores: none", None),
    ("corebench", "Not yes, no", 1),
    ("reasonbench", '{"score": "10"}', [1, 0]),
    ("tiif", "yes\nNope\nNo, it", ["yes", "no"]),
    ("wise-verified", "Score: 2\n1", {"score": 1}),
]


@pytest.mark.parametrize(("parser", "text", "expected"), ODD, ids=lambda each: str(each)[:40])
def test_an_odd_reply_is_read_as_by_the_official_code(parser, text, expected):
    try:
        found = read(parser, text)
    except (ValueError, TypeError):  # as the official function; the question is lost
        found = None
    assert found == expected


def exam(answers, spelling, readability=2):
    whole = {"Spelling": spelling, "Clarity and Readability": readability, "Logical Consistency": 2}
    said = {"answers": [{"answer": each} for each in answers]}
    return json.dumps({**said, "global_evaluation": {name: {"score": each} for name, each in whole.items()}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (exam([1, True], 2), (1, 1.0)),
        (exam([1, 1], 3), (0, 1.05)),
        (exam([1, 1.0], 1.5), (0, 0.975)),
        (exam([1, "1"], 2), None),
        (exam([1], 2), None),
        (exam([1, 1], "2"), None),
        ("\n  " + exam([1, 1], 2).replace('"', "'"), None),
        ("Sure.\n```json\n" + exam([0, 1], 2) + "\n```", (0, 0.72)),
    ],
)
def test_an_odd_exam_sheet_is_marked_as_by_the_official_code(text, expected):
    _, rows = judged_rows("genexam", [({"weights": [0.4, 0.6]}, "A", 0, {"reply": text})])
    found = (rows[0].values.get("strict"), rows[0].values.get("relaxed"))
    assert found == ((None, None) if expected is None else expected)


def test_kinds_of_kris_are_read_by_three_parsers(tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.judged.items._check_files", lambda said, folder: None)
    suite = judged_suite("kris").opened(small_data("kris", tmp_path))
    parsers = {
        item.metadata["type"]: {each.name: each.fields["reads"] for each in asked_of(suite.said.calls, item)}
        for item in suite.items
    }
    assert {kind: named["quality"] for kind, named in parsers.items()} == {
        "color_change": "kris",
        "temporal_prediction": "kris-plain",
        "viewpoint_change": "kris",
        "physics": "kris-knowledge",
    }
