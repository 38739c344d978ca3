"""Plain fine-tuning: it learns, it is repeatable, and it leaves a generator that can be used at once."""

import pytest
import torch
from helpers.small.erasure import tiny_world

from evalkit.erasure.training.finetune import Example, finetune
from evalkit.errors import EvalkitError
from evalkit.generators.base import Request


def examples(count=3):
    return [
        Example(f"a {c} dog", tuple((i * 5 + k) % 24 for k in range(16)))
        for i, c in enumerate(("red", "blue", "green")[:count])
    ]


def test_losses_fall_and_the_codes_are_drawn_afterwards():
    model = tiny_world()
    losses = finetune(model, examples(1), steps=60, learning_rate=1e-2)
    assert losses[-1] < 0.1 * losses[0]
    greedy = model.logits(
        model.encode_conditions([Request("0", prompt="a red dog")]), torch.tensor([examples()[0].codes])
    )
    assert greedy.argmax(-1)[0].tolist() == list(examples()[0].codes)
    assert not any(parameter.requires_grad for parameter in model.network.parameters())


def test_the_same_seed_gives_the_same_weights():
    models = [tiny_world() for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        finetune(model, examples(), steps=4, learning_rate=1e-3, seed=seed, batch=2)
    first, same, other = (torch.cat([p.flatten() for p in model.network.parameters()]) for model in models)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_looks_between_steps_see_the_model_of_that_step_and_may_end_the_training():
    seen = []

    def look(done, loss):
        seen.append((done, float(model.logits(conditions, codes).sum())))
        return done == 3

    model = tiny_world()
    conditions = model.encode_conditions([Request("0", prompt="a red dog")])
    codes = torch.zeros(1, 16, dtype=torch.int64)
    assert len(finetune(model, examples(), steps=9, learning_rate=1e-3, on_step=look)) == 3
    assert [done for done, _ in seen] == [1, 2, 3]
    assert len({value for _, value in seen}) == 3


def test_without_examples_nothing_is_learned():
    with pytest.raises(EvalkitError, match="0 examples"):
        finetune(tiny_world(), [], steps=1, learning_rate=1e-3)
    assert finetune(tiny_world(), examples(), steps=0, learning_rate=1e-3) == ()
