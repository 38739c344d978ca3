"""Campaigns on the fake judge: every kind of reply, nothing asked twice, resumption, budgets and deadlines."""

import json
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.judges.asking import AskOptions, ask
from evalkit.judges.endpoint import EndpointJudge, Patience
from evalkit.judges.outcome import text_reader
from evalkit.judges.parse import Scale, json_scores
from evalkit.judges.prepare import Preparation
from evalkit.judges.request import Parameters, question
from evalkit.judges.store import ReplyStore
from evalkit.judges.usage import Ledger, Prices

from .conftest import FILTER

READER = text_reader(lambda text: json_scores(text, {"score": Scale(0, 10)})["score"], cut_is_fine=True)
ONE = AskOptions(in_flight=1)


def judge_of(fake, model="fake", timeout=30.0, **named):
    return EndpointJudge(fake.address, model, patience=Patience(attempts=2, first_wait=0.001, timeout=timeout), **named)


def questions(n):
    return [question(f"image {i}?") for i in range(n)]


@pytest.mark.parametrize(
    ("word", "state", "detail"),
    [
        ("good", "answered", ""),
        ("fenced", "answered", ""),
        ("prose", "answered", ""),
        ("parts", "answered", ""),
        ("whole-cut", "answered", ""),
        ("words", "unparsed", "there is no JSON object in the text"),
        ("cut", "unparsed", "truncated"),
        ("empty", "unparsed", "empty"),
        ("sorry", "refused", "refusal in words"),
        ("refusal", "refused", "refusal"),
        ("filtered", "refused", "content filter"),
        ((400, FILTER), "refused", "content filter"),
    ],
)
def test_each_kind_of_reply_has_its_state(fake, word, state, detail):
    fake.script[:] = [word]
    (reply,) = ask(judge_of(fake), questions(1), READER)
    assert (reply.state, reply.detail) == (state, detail)
    assert reply.value == (7.0 if state == "answered" else None)


def test_trouble_that_stays_is_failed_with_its_reason(fake):
    fake.script[:] = [(500,), (500,)]
    (reply,) = ask(judge_of(fake), questions(1), READER)
    assert reply.state == "failed"
    assert "answers 500" in reply.detail


def test_a_reader_of_plain_numbers_does_not_trust_a_text_that_was_cut(fake):
    fake.script[:] = ["whole-cut"]
    (reply,) = ask(judge_of(fake), questions(1), text_reader(lambda text: 1))
    assert (reply.state, reply.detail) == ("unparsed", "truncated")


def test_replies_come_in_the_order_of_the_questions_with_several_in_flight(fake):
    fake.hold = 0.05
    asked = questions(12)
    replies = ask(judge_of(fake, in_flight=4), asked, READER)
    judge = judge_of(fake)
    assert [r.key for r in replies] == [judge.key(q) for q in asked]
    assert 2 <= fake.most <= 4


def test_equal_questions_are_asked_once(fake, tmp_path):
    fake.hold = 0.02
    image = Preparation().pixels(np.zeros((4, 4, 3), np.uint8))
    same = [question("?", Preparation().pixels(np.zeros((4, 4, 3), np.uint8))) for _ in range(6)]
    replies = ask(judge_of(fake), [*same, question("?", image)], READER)
    assert len(fake.seen) == 1
    assert len({r.key for r in replies}) == 1


def test_what_differs_in_anything_that_matters_is_asked_anew(fake, tmp_path):
    one = Preparation().pixels(np.zeros((4, 4, 3), np.uint8))
    other = Preparation().pixels(np.ones((4, 4, 3), np.uint8))
    varied = [
        question("?", one),
        question("!", one),
        question(one, "?"),
        question("?", other),
        question("?", Preparation(detail="low").pixels(np.zeros((4, 4, 3), np.uint8))),
        question("?", one, system="x"),
        question("?", one, parameters=Parameters(temperature=0.5)),
        question("?", one).again(1),
    ]
    with ReplyStore(tmp_path / "r.jsonl") as store:
        ask(judge_of(fake), varied, READER, store=store)
        ask(judge_of(fake, "another"), varied, READER, store=store)
        ask(judge_of(fake, snapshot="2025-04-14"), varied, READER, store=store)
        assert len(store) == len(fake.seen) == 3 * len(varied)


def test_nothing_is_asked_twice_over_two_runs(fake, tmp_path):
    fake.script[:] = ["good", "sorry", "cut", (400, FILTER), (500,), (500,), "words"]
    with ReplyStore(tmp_path / "r.jsonl") as store:
        first = ask(judge_of(fake), questions(6), READER, store=store, options=ONE)
    assert [r.state for r in first] == ["answered", "refused", "unparsed", "refused", "failed", "unparsed"]
    before = len(fake.seen)
    with ReplyStore(tmp_path / "r.jsonl") as store:
        second = ask(judge_of(fake), questions(6), READER, store=store, options=ONE)
    assert len(fake.seen) == before + 1  # the failed one alone
    assert [r.state for r in second] == ["answered", "refused", "unparsed", "refused", "answered", "unparsed"]


def test_another_reader_reads_the_stored_replies(fake, tmp_path):
    fake.script[:] = ["words"]
    with ReplyStore(tmp_path / "r.jsonl") as store:
        ask(judge_of(fake), questions(1), READER, store=store)
        (reply,) = ask(judge_of(fake), questions(1), text_reader(lambda text: len(text)), store=store)
    assert (reply.state, reply.value, len(fake.seen)) == ("answered", 19, 1)


def test_a_killed_run_resumes_without_asking_again(fake, tmp_path):
    fake.hold = 0.1
    script = f"""
        from pathlib import Path
        from evalkit.judges.asking import ask
        from evalkit.judges.endpoint import EndpointJudge
        from evalkit.judges.outcome import text_reader
        from evalkit.judges.request import question
        from evalkit.judges.store import ReplyStore
        store = ReplyStore(Path({str(tmp_path / "r.jsonl")!r}))
        judge = EndpointJudge({fake.address!r}, "fake", in_flight=2)
        ask(judge, [question(f"image {{i}}?") for i in range(60)], text_reader(len), store=store)
    """
    run = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    until = time.monotonic() + 60
    while len(fake.seen) < 6 and time.monotonic() < until:
        time.sleep(0.02)
    run.kill()
    run.wait()
    time.sleep(0.3)
    fake.hold = 0
    sent = len(fake.seen)
    with ReplyStore(tmp_path / "r.jsonl") as store:
        known = len(store)
        replies = ask(judge_of(fake), questions(60), READER, store=store)
    assert 3 <= known < 60
    assert sent - known <= 3  # what was in flight when the run was killed
    assert len(fake.seen) - sent == 60 - known
    assert all(r.answered for r in replies)


def test_the_raw_reply_is_on_disk_before_it_is_read(fake, tmp_path):
    seen = []

    def parse(text):
        seen.append((tmp_path / "r.jsonl").read_text())
        raise RuntimeError("a parser that dies")

    with ReplyStore(tmp_path / "r.jsonl") as store, pytest.raises(RuntimeError):
        ask(judge_of(fake), questions(1), text_reader(parse), store=store)
    assert json.loads(seen[0])["reply"]["text"].startswith('{"score"')


def test_a_question_is_asked_anew_where_its_reply_cannot_be_read(fake, tmp_path):
    fake.script[:] = ["words", "cut", "good"]
    with ReplyStore(tmp_path / "r.jsonl") as store:
        (reply,) = ask(judge_of(fake), questions(1), READER, store=store, options=AskOptions(parse_tries=3))
        assert (reply.state, len(store)) == ("answered", 3)
        ask(judge_of(fake), questions(1), READER, store=store, options=AskOptions(parse_tries=3))
    assert len(fake.seen) == 3


def test_a_refusal_is_not_asked_anew(fake):
    fake.script[:] = ["sorry"]
    (reply,) = ask(judge_of(fake), questions(1), READER, options=AskOptions(parse_tries=3))
    assert (reply.state, len(fake.seen)) == ("refused", 1)


@pytest.mark.parametrize("in_flight", [1, 4])
def test_a_budget_of_money_is_never_exceeded_and_the_rest_says_so(fake, tmp_path, in_flight):
    cost = (100 * 2 + 10 * 8) / 1e6
    ledger = Ledger(Prices(2, 8), most_cost=5.5 * cost)
    with ReplyStore(tmp_path / "r.jsonl") as store:
        replies = ask(judge_of(fake, in_flight=in_flight), questions(20), READER, store=store, ledger=ledger)
        assert len(store) == len(fake.seen) == 5
    assert sorted({(r.state, r.detail) for r in replies}) == [("answered", ""), ("failed", "budget")]
    assert ledger.usage.cost == pytest.approx(5 * cost)
    assert (ledger.usage.requests, ledger.usage.prompt_tokens, ledger.usage.completion_tokens) == (5, 500, 50)
    with ReplyStore(tmp_path / "r.jsonl") as store:
        assert all(r.answered for r in ask(judge_of(fake), questions(20), READER, store=store))
    assert len(fake.seen) == 20


def test_a_budget_of_requests_counts_the_ones_in_flight(fake):
    fake.hold = 0.05
    replies = ask(judge_of(fake, in_flight=8), questions(9), READER, ledger=Ledger(most_requests=3))
    assert len(fake.seen) == 3
    assert [r.detail for r in replies].count("budget") == 6


def test_an_endpoint_that_counts_nothing_stops_a_budget_of_money(fake):
    fake.script[:] = ["no-usage"] * 9
    replies = ask(judge_of(fake), questions(5), READER, ledger=Ledger(Prices(1, 1), most_cost=1))
    assert len(fake.seen) == 1
    assert replies[-1].detail == "budget: the endpoint counts no tokens"


def test_one_deadline_holds_for_all_questions_together(fake, tmp_path):
    fake.script[:] = ["good", *["slow"] * 99]
    began = time.monotonic()
    with ReplyStore(tmp_path / "r.jsonl") as store:
        judge = judge_of(fake, timeout=0.7, in_flight=2)
        replies = ask(judge, questions(30), READER, store=store, options=AskOptions(deadline=2.0))
        assert len(store) == 1
    assert time.monotonic() - began < 15  # without the deadline it takes 20 seconds
    assert sorted(r.state for r in replies) == ["answered", *["failed"] * 29]
    assert replies[-1].detail == "deadline"


@pytest.mark.parametrize("odd", [{"in_flight": 0}, {"parse_tries": 0}, {"deadline": 0}, {"deadline": float("nan")}])
def test_counts_that_cannot_be_are_refused(odd):
    with pytest.raises(EvalkitError):
        AskOptions(**odd)


@pytest.mark.parametrize("odd", [{"most_cost": 1}, {"most_requests": -1}, {"prices": Prices(1, 1), "most_cost": -1}])
def test_budgets_that_cannot_be_are_refused(odd):
    with pytest.raises(EvalkitError):
        Ledger(**odd)
