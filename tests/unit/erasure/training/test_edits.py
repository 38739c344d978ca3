"""Edits: rows of the concept's words and nothing else; noise of a stated norm."""

import pytest
import torch
from helpers.small.erasure import tiny_world, training
from safetensors.torch import load_file

from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.training.edits import swaps
from evalkit.erasure.training.learner import learner_of
from evalkit.erasure.training.run import train
from evalkit.erasure.training.settings import Settings
from evalkit.errors import EvalkitError
from evalkit.world.text import encode_caption


def number(word):
    return encode_caption(word)[0]


def pair(target, replacement):
    return Pair(target, replacement, "object", "direct", "train", "dog", "t", "s")


def test_the_concept_s_words_take_the_meaning_of_what_most_often_replaces_them(tmp_path):
    base = tiny_world()
    before = base.network.words.weight.detach().clone()
    done = train(training(tmp_path, "name-swap", Settings(), count=4), base=base)
    after = load_file(done.weights)["words.weight"]
    rows = (after != before).any(1).nonzero().flatten().tolist()
    assert rows == [number("dog")]
    assert torch.equal(after[number("dog")], before[number("cat")])  # cat, car, bed, cat


def test_articles_and_words_that_replacements_use_are_never_swapped():
    given = (pair("a dog", "an apple"), pair("two dogs", "two apples"), pair("a red dog", "an orange apple"))
    found = swaps(learner_of(tiny_world()), given, ("a red bed",))
    assert found == {number("dog"): number("apple"), number("dogs"): number("apples")}
    with pytest.raises(EvalkitError, match="no name can be swapped"):
        swaps(learner_of(tiny_world()), (pair("a red dog", "a dog red"),))


@pytest.mark.parametrize("strength", [0.1, 2.0])
def test_noise_has_the_stated_share_of_each_parameter_s_norm(tmp_path, strength):
    base = tiny_world()
    before = {name: value.clone() for name, value in base.network.state_dict().items()}
    done = train(training(tmp_path, "noise", Settings((0, 0), strength=strength)), base=base)
    after = load_file(done.weights)
    for name in done.facts["changed"]:
        share = (after[name] - before[name]).norm() / before[name].norm() if before[name].norm() else torch.tensor(0.0)
        assert float(share) == pytest.approx(strength if before[name].norm() else 0, rel=1e-4)
    assert done.facts["change"]["relative"] == pytest.approx(strength, rel=1e-4)
