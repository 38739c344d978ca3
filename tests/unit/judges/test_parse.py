import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.judges.parse import (
    NoAnswer,
    Scale,
    json_object,
    json_scores,
    line_scores,
    pattern_score,
    without_thoughts,
    yes_or_no,
)

TEN = {"score": Scale(0, 10)}


@pytest.mark.parametrize(
    "text",
    [
        '{"score": 7}',
        '  {"score": 7}\n',
        '```json\n{"score": 7}\n```',
        '```\n{"score": 7}```',
        'Here:\n```JSON\r\n{"score": 7}\r\n```\nDone.',
        'I think {well} that {"score": 7, "why": {"a": 1}} is right.',
        "{'score': 7, 'why': None}",
        '<think>{"score": 1}</think>{"score": 7}',
        'so {"score": 1} it is</think> {"score": 7}',
        'The answer is: {"score": 7} or {"score": 3}',
    ],
)
def test_a_json_object_is_found_wherever_it_stands(text):
    assert json_object(text)["score"] == 7


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "[7]",
        "I cannot help",
        '{"score": 7',
        '{"scores": {"score": 7}, "why": "he said "no""}',
        '<think>{"score": 7}',
        "{" * 5000,
        '{"score": NaN}',
        "{__import__('os')}",
    ],
)
def test_what_is_no_json_object_is_no_answer(text):
    with pytest.raises(NoAnswer):
        json_object(text)


@given(st.text())
def test_any_text_is_an_object_or_no_answer(text):
    for reads in (
        json_object,
        yes_or_no,
        lambda t: line_scores(t, TEN),
        lambda t: pattern_score(t, r"(\d+)", TEN["score"]),
    ):
        with contextlib.suppress(NoAnswer):
            reads(text)


def test_names_are_compared_without_case_blanks_and_hyphens():
    scales = {"Aesthetic Quality": Scale(0, 2), "score": Scale(0, 1, whole=False)}
    assert json_scores('{"aesthetic_quality": "2", "Score": 0.5}', scales) == {"Aesthetic Quality": 2, "score": 0.5}


@pytest.mark.parametrize("value", ["11", "-1", "7.5", "true", "null", '"seven"', "[7]", "1e999"])
def test_a_score_outside_of_its_scale_is_no_answer(value):
    with pytest.raises(NoAnswer, match="score"):
        json_scores(f'{{"score": {value}}}', TEN)


def test_a_missing_score_is_named():
    with pytest.raises(NoAnswer, match="no 'score'"):
        json_scores('{"other": 1}', TEN)


# the first two of shared vectors for WISE: official code loses bold names and the wide colon, evalkit does not
@pytest.mark.parametrize(
    "text",
    [
        "Consistency: 2\nRealism: 1\nAesthetic Quality: 0",
        "**Consistency**: 2\n**Realism:** 1\nAesthetic Quality：0",
        "- consistency : 2/2\n* Realism: **1**\n3. Aesthetic  Quality: 0.",
        "Thoughts: 9\nConsistency: 2\nRealism: 1\nAesthetic-Quality: 0\nThanks",
    ],
)
def test_scores_on_lines_survive_decoration(text):
    scales = {name: Scale(0, 2) for name in ("Consistency", "Realism", "Aesthetic Quality")}
    assert list(line_scores(text, scales).values()) == [2, 1, 0]


@pytest.mark.parametrize(
    "text", ["Consistency: 3", "Consistency: two", "Consistency is 2", "Inconsistency: 2", "Consistency: 2 or 1"]
)
def test_a_line_that_is_not_a_score_is_no_answer(text):
    with pytest.raises(NoAnswer):
        line_scores(text, {"Consistency": Scale(0, 2)})


def test_the_last_match_of_a_pattern_is_the_verdict():
    assert pattern_score("Score: 3 at first. Final Score: 4", r"Score:\s*(\d+)", Scale(1, 5)) == 4
    with pytest.raises(NoAnswer, match="not in the text"):
        pattern_score("four", r"(\d+)", Scale(1, 5))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", True),
        ("no.", False),
        (" **Yes**, it is", True),
        ('"No"', False),
        ("- yes", True),
        ("<think>no</think>YES", True),
    ],
)
def test_yes_and_no_open_a_text(text, answer):
    assert yes_or_no(text) is answer


@pytest.mark.parametrize("text", ["", "Not at all", "Yesterday", "It is: yes", "Nothing"])
def test_other_openings_are_no_answer(text):
    with pytest.raises(NoAnswer):
        yes_or_no(text)


def test_a_thought_that_never_ends_leaves_nothing():
    assert without_thoughts("<think>I wonder yes") == ""
    assert without_thoughts("Yes <think>") == "Yes"
