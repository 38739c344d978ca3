"""All that evalkit says to a user: short sentences, the field's terms, and in each error what to do."""

import re
from statistics import mean

import pytest
from helpers.sentences import Said, said, sentences, shown_on_pages, words

ALL = list(said())
LONGEST, MEAN = 35, 18
# Reasons that stand in a list behind a name, where another sentence says what to do.
REASONS = {
    *("images/decode.py", "runs/query.py", "runs/query_rows.py", "provenance/copies.py", "provenance/merkle.py"),
    *("tasks/generate/checks.py", "tasks/tokenizer/checks.py", "metrics/fid_infinity.py", "metrics/tokbench.py"),
}
REMEDY = (
    r"[;.?:]\s+\S|[;.:,]\s*…|--\w|`|^[…\s]+$|…{2}$|\(…$|together…$"  # a second part, or words that are made elsewhere
)


def too_long(each):
    return [sentence for sentence in sentences(each.text) if len(words(sentence)) > LONGEST]


def without_remedy(each):
    return each.kind == "error" and not re.search(REMEDY, each.text) and each.where.split(":")[0] not in REASONS


def test_all_of_it_is_found():
    kinds = [each.kind for each in ALL]
    assert kinds.count("error") > 900
    assert kinds.count("help") > 300
    assert kinds.count("note") > 15


def test_no_sentence_is_long():
    assert [(each.where, long) for each in ALL for long in too_long(each)] == []
    assert mean(len(words(sentence)) for each in ALL for sentence in sentences(each.text)) <= MEAN


def test_an_image_is_called_an_image():
    shown = [*((each.where, each.text) for each in ALL), *shown_on_pages()]
    assert [(where, found) for where, text in shown for found in re.findall(r".*\b[Pp]ictures?\b.*", text)] == []


def test_every_error_says_what_to_do_or_what_was_expected():
    assert [(each.where, each.text) for each in ALL if without_remedy(each)] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("the file … is broken", True),
        ("the file … is broken. Give another", False),
        ("side is 1 to 8; … given", False),
        ("… holds nothing: …", False),
    ],
)
def test_an_error_of_one_part_is_found(text, wrong):
    assert without_remedy(Said("error", "a.py:1", text)) is wrong


def test_long_sentences_are_found_and_examples_are_not_read():
    assert too_long(Said("help", "a.py:1", "Word " * 36 + "end. Short.")) != []
    assert too_long(Said("help", "a.py:1", "Short.\n\n\b\n" + "evalkit " * 50)) == []
