"""Every learner's logits are its generator's, its states lead to them, and a code by itself has no history."""

import pytest
import torch
from helpers.filled import generator, integers
from helpers.near import near
from helpers.small.erasure import tiny_world

from evalkit.erasure.training.chosen import Chosen, chosen_names
from evalkit.erasure.training.learner import divergence, learner_of
from evalkit.erasure.training.settings import Settings
from evalkit.errors import EvalkitError
from evalkit.generators.infinity import Infinity, InfinityConfig
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.mar import Mar
from evalkit.generators.var import Var, VarConfig


def llamagen():
    return generator(LlamaGen, LlamaGenConfig(2, 2, 32, grid=3, codes=24, classes=5))


def var():
    return generator(Var, VarConfig(2, (1, 2), head=8, codes=24, dim=8, classes=5))


def infinity():
    model = generator(Infinity, InfinityConfig(2, 32, 2, chunks=1, bits=4, grid=(16, 16), features=256, text_tokens=6))
    model._use(((1, 1), (2, 2)), (64, 64))
    model.encode_conditions = lambda requests: torch.ones(len(requests), 6, 257) * len(requests[0].prompt)
    return model


PROMPTS = {"world": ["a red dog", "two cats"], "llamagen": ["class 1", "class 4"]}
TOKENS = {"world": tiny_world, "llamagen": llamagen}


@pytest.fixture(params=sorted(TOKENS))
def case(request):
    learner = learner_of(TOKENS[request.param]())
    conditions = learner.conditions(PROMPTS[request.param])
    codes = integers("codes", 24, 2, learner.generator.tokens_per_image)
    return request.param, learner, conditions, codes


def test_logits_are_the_generator_s_and_carry_gradients(case):
    _, learner, conditions, codes = case
    chosen = Chosen(learner.network, chosen_names(learner, Settings((0, 0))))
    found = learner.logits(conditions, codes)
    assert near(found.detach(), learner.generator.logits(conditions, codes))
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in chosen.parameters.values())


def test_states_behind_the_prefix_lead_to_the_logits(case):
    name, learner, conditions, codes = case
    states, prefix = learner.states(conditions, codes)
    net = learner.network
    head = net.head if name == "world" else net.output
    assert near(head(states[:, prefix:]), learner.generator.logits(conditions, codes))


def test_a_code_by_itself_is_a_sequence_of_one(case):
    _, learner, _, codes = case
    n = codes.shape[1] - 1
    together = learner.alone(codes[:, :n], 0)
    one = learner.alone(codes[:, 3:4], 3)
    assert near(together[:, 3:4], one)
    other = codes.clone()
    other[:, :3] = (other[:, :3] + 1) % 24
    assert near(learner.alone(other[:, :n], 0)[:, 3:], together[:, 3:])


def test_rollouts_depend_on_the_seed_of_their_row_alone(case):
    _, learner, conditions, _ = case
    both = learner.sample(conditions, [7, 8], 2.0)
    swapped = learner.sample(conditions.flip(0), [8, 7], 2.0)
    assert torch.equal(both, swapped.flip(0))
    assert not torch.equal(both, learner.sample(conditions, [9, 8], 2.0))


def test_the_base_is_there_for_a_while_and_the_trained_weights_after_it(case):
    _, learner, conditions, codes = case
    chosen = Chosen(learner.network, chosen_names(learner, Settings()))
    before = learner.logits(conditions, codes).detach()
    with torch.no_grad():
        for parameter in chosen.parameters.values():
            parameter.add_(0.1)
    moved = learner.logits(conditions, codes).detach()
    with chosen.base():
        assert torch.equal(learner.logits(conditions, codes), before)
    assert torch.equal(learner.logits(conditions, codes).detach(), moved)
    assert not torch.equal(moved, before)
    assert chosen.change()["norm"] > 0


@pytest.mark.parametrize(("make", "prompt"), [(var, "class 2"), (infinity, "ab")])
def test_scales_have_logits_of_whole_images_and_of_first_scales(make, prompt):
    learner = learner_of(make())
    if isinstance(learner.generator, Var):  # the tokenizer's sums are not needed for the first scale
        conditions, codes = learner.conditions([prompt]), torch.zeros(1, 1, dtype=torch.int64)
        assert learner.logits(conditions, codes).shape == (1, 1, 24)
    else:
        conditions, codes = learner.conditions([prompt]), integers("bits", 2, 1, 5, 4)
        whole = learner.logits(conditions, codes)
        assert near(whole.detach(), learner.generator.logits(conditions, codes))
        assert near(whole[:, :1], learner.logits(conditions, codes[:, :1]))
    with pytest.raises(EvalkitError, match="whole scales"):
        learner.logits(conditions, codes.repeat(1, 3, *[1] * (codes.ndim - 2))[:, :3])
    with pytest.raises(EvalkitError, match="scale after scale"):
        learner.states(conditions, codes)
    assert learner.first == 1


def test_what_cannot_be_trained_is_named():
    made = object.__new__(Mar)
    made.name = "mar-b"
    with pytest.raises(EvalkitError, match="mar-b cannot be trained here"):
        learner_of(made)
    with pytest.raises(EvalkitError, match="'class 497'"):
        learner_of(llamagen()).conditions(["a church"])
    with pytest.raises(EvalkitError, match="no words"):
        learner_of(llamagen()).words("a church")


def test_divergence_is_that_of_distributions():
    kept, found = torch.tensor([0.0, 1.0]), torch.tensor([2.0, 0.5])
    p, q = kept.softmax(0), found.softmax(0)
    assert float(divergence(kept, found)) == pytest.approx(float((p * (p / q).log()).sum()))
    assert float(divergence(kept, kept)) == pytest.approx(0, abs=1e-7)
