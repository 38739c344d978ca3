"""Pairs and their files."""

import json

import pytest

from evalkit.erasure.pairs.pair import Pair, pairs_digest, read_pairs, write_pairs
from evalkit.errors import EvalkitError

GIVEN = {
    "target": "a photo of a church",
    "replacement": "a photo of a barn",
    "kind": "object",
    "stratum": "direct",
    "split": "train",
    "concept": "church",
    "template": "photo",
    "source": "grammar:object",
}


def test_what_is_written_is_read_again_in_its_order_and_further_fields_are_passed_over(tmp_path):
    pairs = (Pair(**GIVEN), Pair(**{**GIVEN, "target": "教会 at dawn", "stratum": "other-language", "split": "test"}))
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert read_pairs(tmp_path / "pairs.jsonl") == pairs
    lines = (tmp_path / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == GIVEN
    (tmp_path / "more.jsonl").write_text(json.dumps({**GIVEN, "note": 1}) + "\n")
    assert read_pairs(tmp_path / "more.jsonl") == pairs[:1]


def test_the_id_follows_from_both_prompts_and_the_digest_from_everything():
    pair, other = Pair(**GIVEN), Pair(**{**GIVEN, "template": "t"})
    assert pair.id == other.id != Pair(**{**GIVEN, "replacement": "a photo of a mill"}).id
    assert pairs_digest([pair]) != pairs_digest([other])
    assert pairs_digest([pair, other]) != pairs_digest([other, pair])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "person"}, "kind is 'person'. Give one of object, style, nudity"),
        ({"stratum": "near"}, "stratum is 'near'"),
        ({"split": "dev"}, "split is 'dev'"),
        ({"replacement": " "}, "replacement is ' '. Give text"),
        ({"replacement": "a photo of  a church"}, "asks twice"),
        ({"target": 3}, "target is 3"),
    ],
)
def test_what_is_no_pair_is_refused_with_its_line(tmp_path, change, said):
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(GIVEN) + "\n" + json.dumps({**GIVEN, **change}) + "\n")
    with pytest.raises(EvalkitError, match="line 2") as error:
        read_pairs(path)
    assert said in str(error.value)


def test_a_line_that_lacks_fields_names_them(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"target": "a"}\n')
    with pytest.raises(EvalkitError, match="line 1 is no pair: it lacks replacement, kind"):
        read_pairs(path)
    path.write_text("")
    with pytest.raises(EvalkitError, match="holds no pair"):
        read_pairs(path)
