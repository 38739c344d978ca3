import math

import pytest

from evalkit.errors import EvalkitError
from evalkit.judges.outcome import outcome
from evalkit.judges.readers import reader_of
from evalkit.judges.reply import RawReply, Token


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        ({"kind": "json", "scores": {"score": [0, 10]}}, '{"score": 7}', {"score": 7}),
        ({"kind": "json", "scores": {"s": [0, 1]}, "whole": False}, '{"s": 0.5}', {"s": 0.5}),
        ({"kind": "lines", "scores": {"Realism": [0, 2]}}, "Realism: 1", {"Realism": 1}),
        ({"kind": "pattern", "pattern": r"Final Score:\s*(\d)", "scale": [1, 5]}, "Final Score: 4", 4),
        ({"kind": "yes-no"}, "No, it is not.", False),
        ({"kind": "text"}, "<think>hm</think> a red dog", "a red dog"),
    ],
)
def test_a_table_makes_a_reader(spec, text, value):
    assert outcome("k", RawReply(text=text), reader_of(spec)).value == value


def test_a_table_may_ask_for_probabilities():
    raw = RawReply(text="Yes", finish="length", tokens=(Token("Yes", math.log(0.9)),))
    found = outcome("k", raw, reader_of({"kind": "probability", "answers": ["yes", "no"]}))
    assert found.value["yes"].value == pytest.approx(0.9)


def test_only_readers_of_whole_answers_trust_a_cut_text():
    cut = RawReply(text='{"score": 7} and then', finish="length")
    assert outcome("k", cut, reader_of({"kind": "json", "scores": {"score": [0, 10]}})).answered
    assert not outcome("k", cut, reader_of({"kind": "pattern", "pattern": r"(\d)", "scale": [0, 10]})).answered


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"kind": "odd"},
        {"kind": "json"},
        {"kind": "lines", "scores": 3},
        {"kind": "json", "scores": {"a": [1]}},
        {"kind": "json", "scores": {"a": [1, 1]}},
        {"kind": "pattern", "pattern": "(", "scale": [0, 1]},
        {"kind": "pattern", "pattern": r"\d", "scale": [0, 1]},
        {"kind": "probability"},
    ],
)
def test_other_tables_are_refused(spec):
    with pytest.raises(EvalkitError, match="reader of kind"):
        reader_of(spec)
