"""The bias is the closed form on the chosen law, comes before the filters, and hard bias never leaves the list."""

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler, filtered
from evalkit.watermark.bias import GreenBias, mark_generator
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, make_pool
from evalkit.watermark.mark import LexicalBias

KEY, V = Key(bytes(range(32))), 64


def mark(lists: int = 4) -> LexicalBias:
    return LexicalBias(make_pool(KEY, "t@x", V, Scheme(0.5, lists, "balanced")), KEY, "t@x")


def step(*seeds: int) -> Step:
    return Step(0, range(1), torch.zeros(len(seeds), 0), seeds)


@pytest.mark.parametrize("delta", [0.5, 2.0, 4.0])
def test_green_mass_is_the_closed_form_of_the_mass_before(delta: float) -> None:
    logits = torch.randn(3, 1, V, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    green = np.stack([mark().green_codes(mark().list_of(seed)) for seed in (1, 2, 3)])
    before = (torch.softmax(logits, -1)[:, 0].numpy() * green).sum(1)
    after = torch.softmax(GreenBias(mark(), delta)(logits, step(1, 2, 3)), -1)[:, 0].numpy()
    expected = before * np.exp(delta) / (1 + before * (np.exp(delta) - 1))
    assert np.allclose((after * green).sum(1), expected, atol=1e-12)
    law = torch.softmax(logits, -1)[:, 0].numpy()
    divergence = (after * np.log(after / law)).sum(1)
    assert np.allclose(divergence, delta * expected - np.log1p(before * np.expm1(delta)), atol=1e-10)


def test_the_bias_comes_before_temperature_and_filters() -> None:
    logits = torch.randn(1, 1, V, generator=torch.Generator().manual_seed(2))
    generator = load_generator("world-ar", device="cpu")
    generator.logits_processors = [GreenBias(mark(), 8.0)]
    green = mark().green_codes(mark().list_of(5))
    kept = filtered(generator.logits_processors[0](logits, step(5)) / 0.7, Sampler(top_k=8))
    assert green[torch.isfinite(kept[0, 0]).numpy()].all()  # top-k after the bias keeps green codes
    drawn = generator.choose(logits, step(5), Sampler(temperature=0.7, top_k=8), torch.tensor([[0.999]]))
    assert green[int(drawn)]


def test_hard_bias_never_draws_a_red_code_whatever_the_filters() -> None:
    generator = load_generator("world-ar", device="cpu")
    generator.logits_processors = [GreenBias(mark(), float("inf"))]
    draws = torch.rand(40, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    logits = 3 * torch.randn(40, 1, V, generator=torch.Generator().manual_seed(4))
    seeds = tuple(range(40))
    for sampler in (
        Sampler(),
        Sampler(top_k=1),
        Sampler(top_k=3),
        Sampler(top_p=0.05),
        Sampler(top_p=0.3, filter="var"),
    ):
        codes = generator.choose(logits, step(*seeds), sampler, draws)[:, 0].numpy()
        assert all(mark().green_codes(mark().list_of(s))[c] for s, c in zip(seeds, codes, strict=True))


def test_what_is_recorded_is_enough_to_detect_and_holds_no_key() -> None:
    soft, hard = GreenBias(mark(), 2.0), GreenBias(mark(), float("inf"))
    assert soft.as_dict()["delta"] == 2.0
    assert hard.as_dict()["delta"] == "inf"
    assert soft.as_dict()["tokenizer"] == "t@x"
    assert soft.notes(9) == {"watermark_list": mark().list_of(9)}
    assert KEY.secret.hex() not in str(soft.as_dict()) + repr(soft)


def test_what_cannot_be_biased_is_refused() -> None:
    with pytest.raises(EvalkitError, match="delta is above 0"):
        GreenBias(mark(), 0.0)
    with pytest.raises(EvalkitError, match="does not choose discrete codes"):
        mark_generator(object(), mark(), 2.0)
