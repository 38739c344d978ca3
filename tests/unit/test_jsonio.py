import json
import os

import pytest

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json, finite, json_lines, parse_json, pretty_json, read_json, read_json_lines


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "é\u2028"]}, [], "text", 0])
def test_json_comes_back_as_it_was_with_and_without_a_mark(value):
    data = json.dumps(value, ensure_ascii=False).encode()
    assert parse_json(data, "x") == parse_json(b"\xef\xbb\xbf" + data, "x") == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"[" * 10**6,
        b'{"a":' * 10**5,
        b'"\\udc00"',
        b"\xff\xfe{\0}\0",
        b"\0",
        b"9" * 10**5,
    ],
)
def test_anything_else_is_one_sentence_and_also_a_value_error(data):
    with pytest.raises(EvalkitError) as error:
        parse_json(data, "x.json")
    assert str(error.value).startswith("x.json ")
    assert "\n" not in str(error.value)
    assert isinstance(error.value, ValueError)


def test_lines_are_numbered_as_an_editor_does_and_a_carriage_return_is_no_content(tmp_path):
    text = '{"a": 1}\r\n\n"x\u2028y"\n'
    assert list(json_lines(text, "x")) == [(1, {"a": 1}), (3, "x\u2028y")]
    (tmp_path / "x.jsonl").write_bytes(text.encode())
    assert list(read_json_lines(tmp_path / "x.jsonl")) == [(1, {"a": 1}), (3, "x\u2028y")]
    with pytest.raises(EvalkitError, match="line 2 is not JSON"):
        list(json_lines("1\nnope\n", "x"))


def test_a_file_that_is_not_there_or_no_file_is_named(tmp_path):
    with pytest.raises(EvalkitError, match="is not there"):
        read_json(tmp_path / "nothing.json")
    with pytest.raises(EvalkitError, match="is no file"):
        read_json(tmp_path)


def test_notes_of_any_kind_become_json_that_can_be_sealed():
    given = {"a": float("nan"), 3: [float("-inf"), 1.5], "t": ("x\ud800", None, True), "o": object}
    made = finite(given)
    assert made["a"] is None
    assert made["3"] == [None, 1.5]
    assert made["t"] == ["x?", None, True]
    assert json.loads(canonical_json(made)) == made


def test_bytes_of_a_path_that_are_no_character_are_written_as_in_ids():
    path = os.fsdecode(b"w\xff/\xc3\xa9")
    assert parse_json(canonical_json({path: [path]}), "x") == {"w\\xff/é": ["w\\xff/é"]}
    assert parse_json(pretty_json("\ud800"), "x") == "?"
