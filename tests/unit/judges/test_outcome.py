import pytest

from evalkit.judges.outcome import Reader, outcome, text_reader
from evalkit.judges.parse import Scale, json_scores, yes_or_no
from evalkit.judges.reply import RawReply, raw_reply_of

YES = text_reader(yes_or_no)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with identifying people.",
        "Sorry, I cannot do that.",
        "I cannot assist with this request.",
        "Unfortunately, I am not able to see it.",
        "I’m unable to evaluate this.",
        "As an AI, I do not judge.",
        "抱歉，我无法回答。",
    ],
)
def test_a_refusal_in_words_is_a_refusal(text):
    reply = outcome("k", RawReply(text=text), YES)
    assert (reply.state, reply.detail) == ("refused", "refusal in words")


@pytest.mark.parametrize("text", ["Maybe.", "The dog cannot be seen", "I can see a dog"])
def test_other_words_are_not(text):
    assert outcome("k", RawReply(text=text), YES).state == "unparsed"


def test_an_answer_that_sounds_like_a_refusal_is_an_answer():
    reader = text_reader(lambda text: json_scores(text, {"score": Scale(0, 10)}))
    reply = outcome("k", RawReply(text='I cannot see a dog: {"score": 0}'), reader)
    assert (reply.state, reply.value) == ("answered", {"score": 0})


def test_a_content_filter_wins_over_what_was_written_before_it():
    assert outcome("k", RawReply(text="yes", finish="content_filter"), YES).detail == "content filter"
    assert outcome("k", RawReply("blocked", error="policy"), YES).state == "refused"


def test_thoughts_alone_are_an_empty_reply():
    assert outcome("k", RawReply(text="<think>hm</think>"), YES).detail == "empty"


def test_a_cut_reply_counts_only_where_the_reader_says_so():
    raw = RawReply(text="yes", finish="length")
    assert outcome("k", raw, YES).detail == "truncated"
    assert outcome("k", raw, Reader(YES.parse, cut_is_fine=True)).value is True


def test_a_raw_reply_survives_json():
    raw = RawReply("blocked", error="x", attempts=3, seconds=1.5)
    assert raw_reply_of(raw.as_json()) == raw


@pytest.mark.parametrize("error", [ValueError, RecursionError, KeyError, OverflowError, MemoryError])
def test_a_parser_that_trips_over_a_reply_loses_the_question_alone(error):
    def trips(text):
        raise error("x")

    reply = outcome("k", RawReply(text="Score: ²"), text_reader(trips))
    assert reply.state == "unparsed"
    assert error.__name__ in reply.detail
