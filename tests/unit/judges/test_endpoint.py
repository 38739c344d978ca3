"""What the client sends, what it waits for, and what it never does with a key."""

import base64
import json
import time
from dataclasses import replace

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.judges.endpoint import EndpointJudge, Patience
from evalkit.judges.prepare import Preparation
from evalkit.judges.request import Parameters, question

from .conftest import FILTER, GOOD

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
CALM = Patience(attempts=3, first_wait=0.001, timeout=30, most_bytes=100_000)
HASTY = replace(CALM, timeout=0.5)


def soon(seconds=60.0):
    return time.monotonic() + seconds


def judge_of(fake, patience=CALM, **named):
    return EndpointJudge(fake.address, "fake", patience=patience, **named)


def test_texts_and_images_go_out_in_the_order_of_the_request(fake):
    first, second = (Preparation(format=kind, detail="low").pixels(IMAGE) for kind in ("PNG", "JPEG"))
    judge_of(fake).reply(question(first, "before", second, "after", system="be brief"), soon())
    body = fake.seen[0]
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert body["messages"][0]["content"] == "be brief"
    content = body["messages"][1]["content"]
    assert [part["type"] for part in content] == ["image_url", "text", "image_url", "text"]
    assert content[0]["image_url"]["detail"] == "low"
    kind, _, data = content[2]["image_url"]["url"].partition(";base64,")
    assert (kind, base64.b64decode(data)) == ("data:image/jpeg", second.data)
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("fake", 0.0, 1024)


def test_what_is_not_named_is_not_sent(fake):
    asked = question("?", parameters=Parameters(temperature=None, max_tokens=None))
    judge_of(fake).reply(asked, soon())
    assert set(fake.seen[0]) == {"model", "messages"}


def test_schema_probabilities_limits_and_extras_go_out_in_the_endpoint_s_form(fake):
    judge = judge_of(fake)
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    judge.reply(question("?", parameters=Parameters(schema={"type": "object"}, extra=extra)), soon())
    limited = Parameters(max_tokens=1, top_logprobs=20, limit_field="max_completion_tokens", seed=4)
    judge.reply(question("?", parameters=limited), soon())
    assert fake.seen[0]["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert fake.seen[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert (fake.seen[1]["logprobs"], fake.seen[1]["top_logprobs"]) == (True, 20)
    assert (fake.seen[1]["max_completion_tokens"], fake.seen[1]["seed"]) == (1, 4)


def test_the_reply_is_kept_as_it_came(fake):
    raw = judge_of(fake).reply(question("?"), soon())
    assert (raw.kind, raw.text, raw.finish) == ("answer", GOOD, "stop")
    assert (raw.model, raw.fingerprint) == ("fake-2025-01-01", "fp")
    assert (raw.prompt_tokens, raw.completion_tokens, raw.attempts) == (100, 10, 1)


@pytest.mark.parametrize(
    "trouble", [(429,), (500,), (503,), (529,), "error-200", "odd", "garbage", "broken-off", "slow"]
)
def test_passing_trouble_is_asked_again(fake, trouble):
    fake.script[:] = [trouble]
    raw = judge_of(fake, HASTY if trouble == "slow" else CALM).reply(question("?"), soon())
    assert (raw.kind, raw.text) == ("answer", GOOD)
    assert raw.attempts >= 2  # a busy machine may miss one more


def test_retry_after_is_waited_for_in_seconds_and_as_a_date(fake):
    from email.utils import formatdate

    waits = []
    fake.script[:] = [
        (429, {}, {"Retry-After": "2"}),
        (503, {}, {"Retry-After": formatdate(time.time() + 3, usegmt=True)}),
    ]
    assert judge_of(fake, sleep=waits.append).reply(question("?"), soon(60)).kind == "answer"
    assert waits[0] == 2
    assert 1.5 < waits[1] <= 3


def test_a_wait_beyond_the_deadline_is_not_begun(fake):
    fake.script[:] = [(429, {}, {"Retry-After": "300"})]
    began = time.monotonic()
    raw = judge_of(fake).reply(question("?"), soon(30))
    assert raw.error.startswith("deadline, after: http://127.0.0.1")
    assert time.monotonic() - began < 30


def test_trouble_that_stays_is_given_up_with_its_reason(fake):
    fake.script[:] = [(500, {"error": {"message": "boom"}})] * 3
    raw = judge_of(fake).reply(question("?"), soon())
    assert (raw.kind, raw.attempts) == ("error", 3)
    assert raw.error.endswith("answers 500: boom")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_asking_again_does_not_mend_is_asked_once(fake, status):
    fake.script[:] = [(status, {"error": {"message": "no"}})]
    raw = judge_of(fake).reply(question("?"), soon())
    assert (raw.kind, raw.attempts, len(fake.seen)) == ("error", 1, 1)


def test_a_spent_account_is_not_waited_for(fake):
    fake.script[:] = [(429, {"error": {"message": "pay", "code": "insufficient_quota"}})]
    assert judge_of(fake).reply(question("?"), soon()).attempts == 1


def test_a_content_filter_before_the_answer_is_no_error(fake):
    azure = {"error": {"message": "no", "code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}}
    for body in (FILTER, azure):
        fake.script[:] = [(400, body)]
        raw = judge_of(fake).reply(question("?"), soon())
        assert (raw.kind, raw.attempts) == ("blocked", 1)


def test_a_reply_that_drips_is_cut_off_at_the_deadline(fake):
    fake.script[:] = ["drip"] * 9
    began = time.monotonic()
    raw = judge_of(fake).reply(question("?"), soon(0.6))
    assert raw.kind == "error"
    assert time.monotonic() - began < 15  # the whole reply takes 20 seconds


def test_a_reply_that_is_too_large_is_not_read(fake):
    fake.script[:] = ["huge"] * 3
    assert "exceeds 100,000 bytes" in judge_of(fake).reply(question("?"), soon()).error


def test_a_redirect_is_not_followed_and_the_key_stays(fake, monkeypatch):
    monkeypatch.setenv("EVALKIT_API_KEY", "secret-key-123456")
    fake.script[:] = [(302, {}, {"Location": fake.address + "/elsewhere"})]
    raw = judge_of(fake).reply(question("?"), soon())
    assert "answers 302" in raw.error
    assert [path for path, _ in fake.headers] == ["/v1/chat/completions"]


def test_the_key_goes_to_the_endpoint_that_was_named_and_into_no_reply(fake, monkeypatch):
    monkeypatch.setenv("EVALKIT_API_KEY", "secret-key-123456")
    fake.script[:] = [(401, {"error": {"message": "bad key secret-key-123456"}})]
    raw = judge_of(fake).reply(question("?"), soon())
    assert fake.headers[0][1]["Authorization"] == "Bearer secret-key-123456"
    assert "secret" not in json.dumps(raw.as_json())
    assert "[key]" in raw.error


def test_the_key_of_openai_goes_to_its_own_origin_alone(fake, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-123456")
    judge_of(fake).reply(question("?"), soon())
    monkeypatch.setenv("OPENAI_BASE_URL", fake.address)
    judge_of(fake).reply(question("?"), soon())
    assert ["Authorization" in headers for _, headers in fake.headers] == [False, True]


def test_an_endpoint_that_is_not_there_is_one_sentence(fake):
    raw = EndpointJudge("http://127.0.0.1:9/v1", "m", patience=HASTY).reply(question("?"), soon())
    assert raw.error.startswith("http://127.0.0.1:9 gave no reply")
    assert "\n" not in raw.error


@pytest.mark.parametrize(("url", "model"), [("ftp://x", "m"), ("http://key@host/v1", "m"), ("http://host/v1", "")])
def test_an_address_that_cannot_be_is_refused(url, model):
    with pytest.raises(EvalkitError):
        EndpointJudge(url, model)
