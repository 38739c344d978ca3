"""Pairs of language models: what is asked, what is taken, and what is counted as lost."""

import json

import pytest

from evalkit.erasure.pairs.asking import ask_for_pairs, names, split_of
from evalkit.erasure.pairs.combine import deduplicated
from evalkit.erasure.pairs.concepts import find_concept
from evalkit.erasure.pairs.pair import STRATA, Pair
from evalkit.errors import EvalkitError
from evalkit.judges.base import Judge
from evalkit.judges.reply import RawReply
from evalkit.judges.store import ReplyStore


class Writer(Judge):
    """Answers each request by what the function makes of its text."""

    model = "writer-1"

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def reply(self, request, deadline):
        text = str(request.messages[-1].parts[0])
        self.asked.append(text)
        found = self.answer(text)
        return found if isinstance(found, RawReply) else RawReply(text=found, finish="stop")


def rows(*pairs):
    return json.dumps({"pairs": [{"target": a, "replacement": b} for a, b in pairs]})


def church():
    return find_concept("church")


def test_each_stratum_is_asked_for_in_its_own_words_and_several_models_are_told_apart(tmp_path):
    writer = Writer(lambda text: rows(("a church in snow", "a barn in snow")))
    found = ask_for_pairs(writer, church(), 25)
    assert len(writer.asked) == 2 * len(STRATA)
    assert len(set(writer.asked)) == len(writer.asked)
    assert {p.source for p in found.pairs} == {"writer-1"}
    assert {p.stratum for p in found.pairs} == {"direct", "compositional", "other-language"}
    assert {p.template for p in found.pairs if p.stratum == "direct"} == {"ask-direct-0", "ask-direct-1"}
    assert found.lost == {"the target names the concept": 6}


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("a church in snow", "a Chapel in snow"), "the replacement names the concept"),
        (("a church in snow", "churches in snow"), "the replacement names the concept"),
        (("a barn in snow", "a mill in snow"), "the target does not name the concept"),
        (("a church in snow", " "), "empty, or twice the same"),
    ],
)
def test_what_breaks_the_rules_of_its_stratum_is_left_out_by_reason(pair, reason):
    writer = Writer(lambda text: rows(pair) if "in plain words" in text else "no")
    found = ask_for_pairs(writer, church(), 1) if reason == "never" else None
    with_one_good = Writer(
        lambda text: rows(pair, ("a church at sea", "a mill at sea")) if "in plain words" in text else "no"
    )
    found = ask_for_pairs(with_one_good, church(), 1)
    assert [p.target for p in found.pairs] == ["a church at sea"]
    assert found.lost[reason] == 1
    assert sum(n for said, n in found.lost.items() if said.startswith("unparsed")) == len(STRATA) - 1
    assert writer.asked == []


def test_replies_are_kept_and_not_asked_for_again(tmp_path):
    writer = Writer(lambda text: rows(("a church in snow", "a barn in snow")))
    with ReplyStore(tmp_path / "replies.jsonl") as store:
        first = ask_for_pairs(writer, church(), 5, store=store)
        asked = len(writer.asked)
        assert ask_for_pairs(writer, church(), 5, store=store) == first
    assert len(writer.asked) == asked == len(STRATA)


def test_a_model_that_never_answers_is_named():
    with pytest.raises(EvalkitError, match="writer-1 gave no answer"):
        ask_for_pairs(Writer(lambda text: RawReply("error", error="503")), church(), 5)


def test_pairs_of_one_wording_share_a_split_and_equal_targets_stay_once():
    assert split_of("a church in snow", "a barn in snow") == split_of("A chapel, in snow!", "a mill in snow")
    splits = {split_of(f"a church beside house {i}", f"a barn beside house {i}") for i in range(40)}
    assert splits == {"train", "test"}

    def pair(target, replacement, split="train"):
        return Pair(target, replacement, "object", "direct", split, "church", "t", "s")

    given = [
        pair("a church in snow", "a barn in snow"),
        pair("A church, in snow.", "a mill in snow"),
        pair("a church at sea", "a barn at sea", "test"),
        pair("a barn at sea", "a kiosk at sea"),
    ]
    kept, left_out = deduplicated(given)
    assert [p.target for p in kept] == ["a church in snow", "a church at sea"]
    assert left_out == 2


def test_names_are_whole_words_in_a_row_with_their_plurals():
    assert names("van gogh", "By Vincent van Gogh, 1889")
    assert names("bus", "two buses")
    assert not names("bus", "a business")
    assert not names("van gogh", "a van near Gogh")
