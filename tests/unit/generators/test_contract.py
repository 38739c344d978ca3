"""What every native generator of classes promises, tried on a small one of each family."""

from dataclasses import replace

import pytest
import torch
from helpers.filled import generator
from helpers.near import near
from helpers.small.distilled import with_codebook
from helpers.small.families import FAMILIES

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.distilled import Distilled
from evalkit.generators.latent import LatentGenerator
from evalkit.generators.next_token import NextTokenGenerator

SMALL = {
    f"{family.removeprefix('generator-')}{'/' if name else ''}{name}": case
    for family, cases in FAMILIES.items()
    for name, case in cases.items()
    if issubclass(case.cls, NextTokenGenerator | LatentGenerator) and case.cls.conditions == "class"
}


@pytest.fixture(scope="module", params=sorted(SMALL))
def model(request):
    case = SMALL[request.param]
    made = generator(case.cls, case.config, case.gains)
    if isinstance(made, LatentGenerator):
        made.default_sampler = replace(made.default_sampler, steps=2 if isinstance(made, Distilled) else 3)
        made.head_steps = made.global_steps = "3"
        made.rows = 1  # as on every CPU
    if isinstance(made, Distilled):
        with_codebook(made)
    return made


def drawn(model, requests):
    """The codes or latents of the requests."""
    return model.sample_tokens(requests) if isinstance(model, NextTokenGenerator) else model.latents(requests)


def requests(count=5):
    return [Request(str(i), class_id=i % 4, seed=7 * i) for i in range(count)]


def test_a_request_gives_the_same_in_any_batch_order_and_number_of_rows(model):
    if isinstance(model, NextTokenGenerator):
        model.rows = 8
    together = drawn(model, requests())
    assert torch.equal(together, drawn(model, requests()[::-1]).flip(0))
    assert torch.equal(together[3:4], drawn(model, requests()[3:4]))
    for rows in (1, 3, 32):
        model.rows = rows
        other = drawn(model, requests())
        if isinstance(model, NextTokenGenerator):
            assert torch.equal(together, other)
        else:  # vectors of numbers round by the shape of their products; images do not show it
            assert near(together, other, 1e-4)
    model.rows = 8 if isinstance(model, NextTokenGenerator) else 1


def test_seeds_and_classes_change_the_image_and_nothing_else_does(model):
    one = drawn(model, [Request("a", class_id=1, seed=3)])
    torch.manual_seed(99)
    assert torch.equal(one, drawn(model, [Request("b", class_id=1, seed=3)]))
    others = [drawn(model, [Request("a", class_id=1, seed=seed)]) for seed in range(4, 8)]
    assert any(not torch.equal(one, other) for other in others)


def test_results_are_finite_and_in_range(model):
    values = drawn(model, requests(2))
    if isinstance(model, NextTokenGenerator):
        assert values.shape == (2, model.tokens_per_image)
        assert 0 <= int(values.min()) <= int(values.max()) < model.vocab_size
    else:
        assert torch.isfinite(values).all()


@pytest.mark.parametrize("given", [{"prompt": "a cat"}, {"class_id": 10**6}, {"class_id": -1}])
def test_a_request_that_the_model_cannot_take_is_one_sentence(model, given):
    request = Request("odd", **given)
    with pytest.raises(EvalkitError, match="odd"):
        model.generate([request])
