import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.judges.outcome import outcome
from evalkit.judges.probability import likelihood, probability_reader, spellings, yes_no
from evalkit.judges.reply import RawReply, Token


def token(**top):
    pairs = tuple((text.replace("_", " "), math.log(p)) for text, p in top.items())
    best = max(pairs, key=lambda pair: pair[1])
    return Token(*best, pairs)


def test_spellings_of_an_answer_add_up():
    seen = yes_no(token(Yes=0.5, _yes=0.2, No=0.1, maybe=0.05))
    assert seen["yes"].value == pytest.approx(0.7)
    assert seen["no"].value == pytest.approx(0.1)
    # two spellings of yes are unstated: each is at most as likely as the last stated token
    assert seen["yes"].high == pytest.approx(0.7 + 2 * 0.05)


def test_an_answer_that_is_not_stated_is_bounded_and_not_impossible():
    no = yes_no(token(Yes=0.9, yes=0.08, Sure=0.001))["no"]
    assert (no.seen, no.low) == (False, 0)
    assert no.value == no.high == pytest.approx(4 * 0.001)
    assert yes_no(token(Yes=0.9, yes=0.0999))["no"].high == pytest.approx(0.0001)  # what is left over


def test_leading_blanks_of_tokenizers_are_blanks():
    assert likelihood(
        Token("\u2581two", math.log(0.4), (("\u0120Two", math.log(0.1)),)), spellings("two")
    ).low == pytest.approx(0.5)


@given(st.dictionaries(st.sampled_from(["Yes", "yes", " yes", "No", "x", "y"]), st.floats(1e-6, 1), min_size=1))
def test_bounds_hold_the_value_and_lie_between_0_and_1(weights):
    total = sum(weights.values()) * 1.01
    pairs = tuple((text, math.log(w / total)) for text, w in weights.items())
    for each in yes_no(Token(*pairs[0], pairs)).values():
        assert 0 <= each.low <= each.value <= each.high <= 1 + 1e-12


def test_a_reply_of_one_token_is_read_though_it_was_cut():
    raw = RawReply(text="Yes", finish="length", tokens=(token(Yes=0.8, No=0.1),))
    reply = outcome("k", raw, probability_reader(["yes", "no"]))
    assert reply.state == "answered"
    assert reply.value["yes"].value == pytest.approx(0.8)


def test_a_judge_that_states_no_probabilities_is_unparsed():
    reply = outcome("k", RawReply(text="Yes", finish="stop"), probability_reader(["yes"]))
    assert (reply.state, reply.detail) == ("unparsed", "the reply states no token probabilities")
