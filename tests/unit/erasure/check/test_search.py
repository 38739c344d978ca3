"""The search for prompts: within its budget, the same each time, and it finds the word that was taken away."""

import pytest
import torch
from helpers.small.erasure import tiny_world

from evalkit.erasure.check.search import can_search, search
from evalkit.generators.base import Request
from evalkit.generators.sampling import Sampler
from evalkit.world.text import words


@pytest.fixture(scope="module")
def model():
    return tiny_world()


def codes_of(model, prompt):
    return model.sample_tokens([Request("0", prompt, seed=3, sampler=Sampler())])[0]


@pytest.mark.parametrize("budget", [1, 2, 17, 40])
def test_a_search_keeps_its_budget_and_never_ends_worse(model, budget):
    found = search(model, "a red cat", codes_of(model, "a red dog"), budget)
    assert found.evaluations <= budget
    assert found.loss <= found.before
    assert len(found.prompt.split()) == 3
    assert all(word in words() for word in found.prompt.split())


def test_the_same_search_finds_the_same_prompt_and_leaves_the_model_as_it_was(model):
    codes = codes_of(model, "a red dog")
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    assert search(model, "a red cat", codes, 40) == search(model, "a red cat", codes, 40)
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in model.network.parameters())


def test_more_evaluations_make_the_codes_no_less_likely(model):
    codes = codes_of(model, "a red dog")
    losses = [search(model, "a red cat", codes, budget).loss for budget in (1, 20, 60)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_a_name_without_its_meaning_is_replaced_by_a_word_that_kept_it(model):
    """A model whose word for dog means apple: the search finds a prompt under which the dog's codes are likelier."""
    erased = tiny_world()
    numbers = {word: i + 1 for i, word in enumerate(words())}
    with torch.no_grad():
        erased.network.words.weight[numbers["puppy"]] = erased.network.words.weight[numbers["dog"]]
        erased.network.words.weight[numbers["dog"]] = erased.network.words.weight[numbers["apple"]]
    found = search(erased, "a red dog", codes_of(model, "a red dog"), 200)
    assert "dog" not in found.prompt.split()
    assert found.loss < found.before


def test_a_generator_without_words_says_why(model):
    assert can_search(model) is None
    assert "cannot be trained here" in can_search(object.__new__(NoWords))


class NoWords:
    name = "other"
