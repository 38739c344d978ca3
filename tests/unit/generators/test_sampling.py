"""Laws of drawing: filters keep the likeliest, draws follow the probabilities, requests keep to themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.generators.sampling import Filter, Sampler, filtered, sample, uniforms

LAW = settings(deadline=None)  # machines under test may be busy
SAMPLERS = st.builds(
    Sampler,
    temperature=st.floats(0.1, 5.0),
    top_k=st.integers(0, 40),
    top_p=st.floats(0.0, 1.0),
    min_p=st.floats(0.0, 0.9),
    filter=st.sampled_from(["llamagen", "var"]),
)


def some_logits(seed: int, codes: int = 30, rows: int = 3) -> torch.Tensor:
    return 3 * torch.randn(rows, codes, generator=torch.Generator().manual_seed(seed))


@LAW
@given(st.integers(0, 10**6), SAMPLERS)
def test_filters_keep_the_likeliest_and_change_no_kept_value(seed: int, sampler: Sampler) -> None:
    logits = some_logits(seed)
    kept = filtered(logits, sampler)
    inside = kept.isfinite()
    assert inside.gather(-1, logits.argmax(-1, keepdim=True)).all()
    assert torch.equal(kept[inside], logits[inside])
    for row, mask in zip(logits, inside, strict=True):
        if not mask.all():
            assert row[mask].min() >= row[~mask].max()


@LAW
@given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from(["llamagen", "var"]))
def test_top_k_keeps_k_codes_without_ties(seed: int, k: int, rule: Filter) -> None:
    logits = torch.randperm(30, generator=torch.Generator().manual_seed(seed)).float()
    assert int(filtered(logits, Sampler(top_k=k, filter=rule)).isfinite().sum()) == min(k, 30)


@LAW
@given(st.integers(0, 10**6), st.floats(0.05, 0.99))
def test_top_p_keeps_the_smallest_set_that_reaches_its_mass(seed: int, p: float) -> None:
    probabilities = torch.softmax(some_logits(seed, rows=1)[0].double(), -1)
    kept = filtered(probabilities.log(), Sampler(top_p=p)).isfinite()
    mass = float(probabilities[kept].sum())
    assert mass >= p - 1e-6
    assert mass - float(probabilities[kept].min()) <= p + 1e-6


@LAW
@given(st.integers(0, 10**6), st.floats(0.01, 0.9))
def test_min_p_drops_what_is_below_its_share_of_the_likeliest(seed: int, share: float) -> None:
    logits = some_logits(seed, rows=1)[0]
    kept = filtered(logits, Sampler(min_p=share)).isfinite()
    margin = logits.max() + math.log(share)
    assert kept[logits > margin + 1e-4].all()
    assert not kept[logits < margin - 1e-4].any()


@LAW
@given(st.integers(0, 10**6), SAMPLERS, st.floats(0.0, 1.0, exclude_max=True))
def test_a_draw_is_one_of_the_kept_codes(seed: int, sampler: Sampler, u: float) -> None:
    logits = some_logits(seed)
    drawn = sample(logits, torch.full((3,), u, dtype=torch.float64), sampler)
    kept = filtered(logits / sampler.temperature, sampler)
    assert drawn.dtype == torch.int64
    assert kept.gather(-1, drawn[:, None]).isfinite().all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.3, 3.0), st.sampled_from([0, 4]))
def test_even_draws_hit_codes_as_often_as_they_are_probable(seed: int, temperature: float, k: int) -> None:
    logits, sampler = some_logits(seed, 8, 1), Sampler(temperature=temperature, top_k=k)
    count = 20000
    u = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    drawn = sample(logits.expand(count, -1), u, sampler)
    shares = np.bincount(drawn.numpy(), minlength=8) / count
    want = torch.softmax(filtered(logits[0] / temperature, sampler).double(), -1).numpy()
    assert np.abs(shares - want).max() <= 2 / count


@LAW
@given(st.integers(0, 10**6))
def test_greedy_takes_the_likeliest_whatever_the_draw_and_the_temperature(seed: int) -> None:
    logits = some_logits(seed)
    assert torch.equal(sample(logits, torch.rand(3).double(), Sampler(temperature=3.0, top_k=1)), logits.argmax(-1))


@LAW
@given(st.lists(st.integers(0, 2**63 - 1), min_size=2, max_size=5), st.integers(1, 20))
def test_random_numbers_depend_on_the_seed_of_their_request_alone(seeds: list[int], count: int) -> None:
    whole = uniforms(seeds, count)
    assert whole.shape == (len(seeds), count)
    assert ((whole >= 0) & (whole < 1)).all()
    for row, seed in enumerate(seeds):
        assert torch.equal(whole[row], uniforms([seed], count)[0])
        assert torch.equal(whole[row], uniforms([seed], count + 7)[0, :count])


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"top_p": 1.5}, {"top_p": -0.1}, {"min_p": 1.0}, {"top_k": -1}]
)
def test_impossible_samplers_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(EvalkitError, match="given"):
        Sampler(**options)  # type: ignore[arg-type]


def test_top_p_of_zero_is_off_by_the_rule_of_var_and_greedy_by_that_of_llamagen() -> None:
    logits = some_logits(0)
    assert filtered(logits, Sampler(top_p=0.0, filter="var")).isfinite().all()
    assert filtered(logits, Sampler(top_p=0.0)).isfinite().sum(-1).tolist() == [1, 1, 1]


def test_records_keep_plain_data() -> None:
    record = Sampler(top_k=5).as_dict()
    assert record["top_k"] == 5
    assert record["guidance"]["canonical"] == [1.0, 1.0]
