"""A local vision-language model behind the same contract, on a tiny random one."""

import time

import numpy as np
import pytest
import torch

from evalkit.judges.asking import ask
from evalkit.judges.outcome import text_reader
from evalkit.judges.prepare import Preparation
from evalkit.judges.probability import probability_reader
from evalkit.judges.registry import load_judge
from evalkit.judges.request import JudgeRequest, Message, Parameters, question
from evalkit.judges.store import ReplyStore

IMAGES = [
    Preparation().pixels(np.random.default_rng(i).integers(0, 256, (40, 50, 3), dtype=np.uint8)) for i in range(2)
]


@pytest.fixture(scope="module")
def judge(tiny_vlm):
    return load_judge(f"transformers:{tiny_vlm}", "cpu")


def late():
    return time.monotonic() + 60


def test_greedy_replies_are_those_of_generate(judge, tiny_vlm):
    raw = judge.reply(question("is this a dog ?", IMAGES[0], parameters=Parameters(max_tokens=5)), late())
    inputs = judge.processor(
        text="user : is this a dog ? <image> assistant :", images=[np.asarray(opened(IMAGES[0]))], return_tensors="pt"
    )
    with torch.inference_mode():
        out = judge.network.generate(**inputs, max_new_tokens=5, do_sample=False)
    new = out[0, inputs["input_ids"].shape[1] :]
    assert raw.text == judge.processor.decode(new, skip_special_tokens=True)
    assert (raw.prompt_tokens, raw.completion_tokens) == (inputs["input_ids"].shape[1], len(new))


def opened(part):
    import io

    from PIL import Image

    return Image.open(io.BytesIO(part.data))


def test_images_and_texts_keep_their_order(judge):
    def first(*parts):
        raw = judge.reply(question(*parts, parameters=Parameters(max_tokens=1, top_logprobs=3)), late())
        return raw.tokens[0].logprob

    seen = [first("is", IMAGES[0]), first(IMAGES[0], "is"), first("is", IMAGES[1]), first("is", IMAGES[0], IMAGES[1])]
    assert len(set(seen)) == 4
    assert first("is", IMAGES[0]) == seen[0]


def test_token_probabilities_are_those_of_the_network(judge):
    raw = judge.reply(question(IMAGES[0], "red ?", parameters=Parameters(max_tokens=1, top_logprobs=16)), late())
    assert raw.finish == "length"
    (token,) = raw.tokens
    assert sum(np.exp(p) for _, p in token.top) == pytest.approx(1, abs=1e-5)
    assert token.top[0] == (token.text, pytest.approx(token.logprob))
    (reply,) = ask(
        judge,
        [question(IMAGES[0], "red ?", parameters=Parameters(max_tokens=1, top_logprobs=16))],
        probability_reader(["yes", "no"]),
    )
    assert reply.value["yes"].value == pytest.approx(np.exp(dict(token.top)["yes"]))


def test_sampled_replies_depend_on_seed_and_repeat_and_leave_the_generator_alone(judge):
    hot = Parameters(max_tokens=8, temperature=1.5, seed=3)
    asked = question("is this a dog ?", IMAGES[0], parameters=hot)
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    texts = [judge.reply(asked.again(repeat), late()).text for repeat in (0, 1, 2, 0)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert texts[0] == texts[3]
    assert len(set(texts)) > 1


def test_several_turns_are_one_chat(judge):
    turns = (
        Message("system", ("is",)),
        Message("user", (IMAGES[0], "dog ?")),
        Message("assistant", ("yes",)),
        Message("user", ("red ?",)),
    )
    assert judge.reply(JudgeRequest(turns, Parameters(max_tokens=2)), late()).prompt_tokens > 15


def test_what_it_cannot_do_is_a_reply_and_no_exception(judge):
    asked = question("?", parameters=Parameters(schema={"type": "object"}))
    assert judge.reply(asked, late()).error == "a local judge takes no schema"
    other = question("?", parameters=Parameters(extra={"best_of": 4}))
    assert judge.reply(other, late()).error == "a local judge takes no best_of"
    assert judge.reply(question("?"), time.monotonic() - 1).error == "deadline"
    broken = question("<image>", parameters=Parameters(max_tokens=1))  # a mark without its image
    assert judge.reply(broken, late()).error.startswith(f"{judge.model} gave no reply")


def test_fields_of_the_chat_template_reach_it(judge):
    template = judge.processor.chat_template
    judge.processor.chat_template = template + "{% if enable_thinking is defined %} no{% endif %}"
    try:
        plain, changed = (
            judge.reply(question("?", parameters=Parameters(max_tokens=1, extra=extra)), late()).prompt_tokens
            for extra in ({}, {"chat_template_kwargs": {"enable_thinking": False}})
        )
    finally:
        judge.processor.chat_template = template
    assert changed == plain + 1


def test_replies_are_kept_by_the_digest_of_the_weights(judge, tmp_path):
    assert len(judge.snapshot) == 64
    with ReplyStore(tmp_path / "r.jsonl") as store:
        (one,) = ask(judge, [question("dog ?", parameters=Parameters(max_tokens=2))], text_reader(str), store=store)
    with ReplyStore(tmp_path / "r.jsonl") as store:
        assert store.get(one.key).fingerprint == judge.snapshot
