"""The bias is the closed form on the chosen law, comes before the filters, and hard bias never leaves the list."""

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler, filtered
from evalkit.watermark.bias import BiasUntil, GreenBias, mark_generator, marking
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, make_pool
from evalkit.watermark.mark import LexicalBias
from evalkit.watermark.methods import MarkSpec, build_mark

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


def one_list(method: str = "lbw", gamma: float = 0.5) -> LexicalBias:
    vectors = np.random.default_rng(0).normal(size=(V, 3))
    spec = MarkSpec(method, gamma=gamma, **({"clusters": 16} if method == "clusters" else {}))
    made = build_mark(spec, KEY, "t@x", V, codebook=lambda: vectors)
    assert isinstance(made, LexicalBias)
    return made


@pytest.mark.parametrize("method", ["lbw", "indexmark", "clusters"])
def test_until_tilts_only_codes_whose_coin_the_image_lacks_and_new_codes_stay_as_likely(method: str) -> None:
    made = one_list(method)
    green, coins = made.green_codes(0), made.units(np.arange(V))
    held = torch.tensor([[3, 9, 9, 20]])
    logits = torch.randn(1, 2, V, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    laws = torch.softmax(logits, -1)[0].numpy()
    after = torch.softmax(marking(made, 2.0, 1e-3)(logits, Step(4, range(4, 6), held, (0,))), -1)[0].numpy()
    new = ~np.isin(coins, coins[[3, 9, 20]])
    tilted = laws * np.exp(2.0 * green) * new
    tilted *= (laws * new).sum(1, keepdims=True) / tilted.sum(1, keepdims=True)
    assert np.allclose(after, np.where(new, tilted, laws), atol=1e-12)
    first = torch.softmax(marking(made, 2.0, 1e-3)(logits, step(0)), -1)
    plain = torch.softmax(marking(made, 2.0)(logits, step(0)), -1)
    assert torch.allclose(first, plain, atol=1e-12)  # an image without codes lacks them all


def test_until_leaves_an_image_alone_once_it_is_found_and_helps_again_when_red_codes_hide_it() -> None:
    made = one_list()
    green = np.flatnonzero(made.green_codes(0))
    red = np.flatnonzero(~made.green_codes(0))
    rows = [green[:9], green[:10], np.concatenate([green[:10], red[:1]])]  # p: 2^-9, 2^-10, 12 / 2^11
    wide = torch.full((3, 11), int(green[0]))
    for row, codes in zip(wide, rows, strict=True):
        row[: len(codes)] = torch.from_numpy(codes)
    raised = BiasUntil(made, 2.0, 1e-3)(torch.zeros(3, 1, V), Step(11, range(11, 12), wide, (0, 0, 0)))
    assert (raised[:, 0] != 0).any(1).tolist() == [True, False, True]


def test_until_gives_every_image_the_evidence_that_was_asked_for_and_leaves_the_rest_of_its_codes_alone() -> None:
    size, count, until = 512, 200, 1e-5
    made = build_mark(MarkSpec(), KEY, "t@x", size)
    draws = np.random.default_rng(1)
    bias = marking(made, 4.0, until)
    tokens = torch.zeros(20, 0, dtype=torch.int64)
    logits = torch.from_numpy(draws.normal(size=(20, 1, size)))
    for place in range(count):
        law = torch.softmax(bias(logits, Step(place, range(place, place + 1), tokens, tuple(range(20)))), -1)[:, 0]
        chosen = (law.cumsum(1) > torch.from_numpy(draws.random((20, 1)))).int().argmax(1)
        tokens = torch.cat([tokens, chosen[:, None]], 1)
    scores = made.score(tokens.numpy())
    assert (scores.log_p <= np.log(10 * until)).all()  # one red code at the end may be one too many
    assert (scores.green / scores.distinct).mean() < 0.72  # delta alone: 0.98 of the codes


def test_what_until_cannot_mean_is_refused() -> None:
    places = build_mark(MarkSpec("places"), KEY, "t@x", V)
    with pytest.raises(EvalkitError, match="places does not count distinct codes"):
        marking(places, 2.0, 1e-3)
    for delta, until in ((float("inf"), 1e-3), (2.0, 1.0), (2.0, 0.0)):
        with pytest.raises(EvalkitError, match="Give --until"):
            marking(one_list(), delta, until)
    drawn = build_mark(MarkSpec("gumbel"), KEY, "t@x", V)
    with pytest.raises(EvalkitError, match="neither delta nor until"):
        marking(drawn, None, 1e-3)
    assert "until" not in marking(one_list(), 2.0).as_dict()  # plans of earlier runs stay what they were
    assert marking(one_list(), 2.0, 1e-3).as_dict()["until"] == 1e-3
