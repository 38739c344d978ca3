"""What every method promises: true p-values under a random key with repeats, marks that are found, honest records."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request, Step
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.nar import Nar, NarConfig
from evalkit.generators.registry import Source
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.exact import coins_log_tail, hypergeometric_log_tail
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, build_mark, read_mark, write_mark
from evalkit.watermark.spec import ABOUT, DRAWING, NUMBERS

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
V = 32
CODEBOOK = np.random.default_rng(0).standard_normal((V, 4))
DEAD = np.where(np.arange(V) % 4 == 3, 0, 1 + np.arange(V))
SPECS = {
    "kgw-0": MarkSpec("kgw", context=0),
    "kgw-1": MarkSpec("kgw", context=1, gamma=0.5),
    "wmar": MarkSpec("wmar"),
    "wmar-0": MarkSpec("wmar", context=0, gamma=0.5),
    "indexmark": MarkSpec("indexmark"),
    "indexmark-4": MarkSpec("indexmark", gamma=0.25, lists=2, cap=2),
    "clusters": MarkSpec("clusters", clusters=16),
    "clusters-pool": MarkSpec("clusters", clusters=12, lists=4, gamma=0.25, cap=2),
    "places": MarkSpec("places"),
    "places-clusters": MarkSpec("places", clusters=16),
    "bitmark": MarkSpec("bitmark", pattern=3),
    "payload": MarkSpec("payload", layout="id:8", message="id=77"),
    "payload-places": MarkSpec("payload", layout="model:4,user:8", message="model=3,user=200", carrier="places"),
    "bitmark-pool": MarkSpec("bitmark", lists=4),
    "gumbel": MarkSpec("gumbel", lists=4),
    "gumbel-before": MarkSpec("gumbel", lists=2, seeded="before"),
    "dipmark": MarkSpec("dipmark", gamma=0.4),
    "dipmark-before": MarkSpec("dipmark", seeded="before", reweight=0.4),
    "tournament": MarkSpec("tournament"),
    "tournament-pool": MarkSpec("tournament", lists=3, layers=6),
}
every = pytest.mark.parametrize("name", SPECS)
biased = pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.method not in DRAWING])


def mark_of(name: str, key: Key = KEY, spec: MarkSpec | None = None) -> Mark:
    spec = spec or SPECS[name]
    frequencies = DEAD if name.startswith("wmar") else None
    return build_mark(spec, key, "t@x", V, frequencies=frequencies, codebook=lambda: CODEBOOK, bits=5)


def repeated(images: int, n: int = 48, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    law = 1 / np.arange(1, V + 1)
    codes = rng.choice(V, (images, n), p=law / law.sum())
    codes[:, : n // 3] = rng.integers(V, size=(images, 1))
    codes[::2, -3:] = -1
    return codes


def test_every_method_is_tested_and_described() -> None:
    assert {spec.method for spec in SPECS.values()} | {"lbw"} == set(NUMBERS) == set(ABOUT)


@every
def test_p_values_are_super_uniform_under_a_random_key_with_repeats(name: str) -> None:
    codes, keys = repeated(3), 300
    marks = [mark_of(name, Key((7 + i).to_bytes(32, "big"))) for i in range(keys)]
    log_p = np.stack([mark.score(codes).log_p for mark in marks])
    for alpha in (0.2, 0.05, 0.01):
        rate = (log_p <= np.log(alpha) + 1e-12).mean(0)
        assert (rate <= alpha + 4.5 * np.sqrt(alpha / keys)).all()
    lists = np.stack([mark.score(codes).log_p_list for mark in marks])
    assert np.exp(lists).min() < 0.05  # small values do occur


@biased
def test_a_mark_embedded_by_bias_is_found_and_only_with_its_key(name: str) -> None:
    found: dict[str, list[float]] = {"hard": [], "plain": [], "other": []}
    for delta in (None, float("inf")):
        model = tiny(LlamaGen)
        if delta is not None:
            mark_generator(model, mark_of(name), delta)
        codes = model.sample_tokens([Request(str(i), class_id=i % 5, seed=i) for i in range(16)]).numpy()
        found["plain" if delta is None else "hard"] = mark_of(name).score(codes).log_p.tolist()
        if delta is not None:
            found["other"] = mark_of(name, OTHER).score(codes).log_p.tolist()
            mark = mark_of(name)
            for seed, row in enumerate(codes):
                counted = mark.units(row) >= 0
                assert mark.colours(row, mark.list_of(seed))[counted].all()
    assert np.mean(found["hard"]) < np.mean(found["plain"]) - 1
    assert np.mean(found["hard"]) < np.mean(found["other"]) - 1


@biased
def test_soft_bias_is_between_nothing_and_hard(name: str) -> None:
    logits = torch.randn(1, 1, V, generator=torch.Generator().manual_seed(0))
    step = Step(3, range(3, 4), torch.tensor([[1, 4, 2]]), (9,))
    moved = (mark_of(name).bias(logits, step, 1.5) - logits)[0, 0]
    hard = mark_of(name).bias(logits, step, float("inf"))[0, 0]
    steps = (moved / 1.5).round()
    assert torch.allclose(moved, 1.5 * steps, atol=1e-5)
    assert steps.max() >= 1
    assert torch.equal(torch.isfinite(hard), steps == steps.max() if name.startswith("bitmark") else steps == 1)


@every
def test_records_round_trip_and_never_hold_the_key(name: str, tmp_path) -> None:
    mark = mark_of(name)
    write_mark(tmp_path / "mark.json", mark)
    found = read_mark(tmp_path)
    again = mark_of(name, spec=found.spec)
    assert again.as_dict() == mark.as_dict() | ({"message": None} if name.startswith("payload") else {})
    assert found.spec.method == SPECS[name].method
    codes = repeated(3)
    assert np.array_equal(again.score(codes).log_p, mark.score(codes).log_p)
    assert KEY.secret.hex() not in (tmp_path / "mark.json").read_text()


@every
def test_lists_depend_on_key_epoch_and_tokenizer(name: str) -> None:
    codes = repeated(12)

    def scores(key: Key = KEY, tokenizer: str = "t@x", epoch: str = "0") -> list[int]:
        frequencies = DEAD if name.startswith("wmar") else None
        spec = SPECS[name].at(epoch)
        mark = build_mark(spec, key, tokenizer, V, frequencies=frequencies, codebook=lambda: CODEBOOK, bits=5)
        return mark.score(codes).green.tolist()

    assert scores() == scores()
    assert scores() not in (scores(OTHER), scores(tokenizer="t@y"), scores(epoch="1"))


@every
def test_nothing_and_padding_alone_have_p_one_and_foreign_codes_are_refused(name: str) -> None:
    mark = mark_of(name)
    assert len(mark.score(np.zeros((0, 4), int)).log_p) == 0
    empty = mark.score(np.full((2, 4), -1))
    assert empty.log_p.tolist() == [0.0, 0.0]
    assert empty.codes.tolist() == [0, 0]
    with pytest.raises(EvalkitError, match=r"Is this|expected"):
        mark.score(np.array([[V]]))


@every
def test_the_floor_is_never_above_p_and_is_reached_when_all_is_green(name: str) -> None:
    scores = mark_of(name).score(repeated(20))
    assert (scores.log_p_floor <= scores.log_p + 1e-9).all()
    assert (scores.green >= 0).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5), st.integers(0, 5)), max_size=3), st.integers(0, 9))
def test_hypergeometric_tail_is_the_sum_over_all_lists(draws: list[tuple[int, int, int]], score: int) -> None:
    draws = [(n, min(g, n), min(u, n)) for n, g, u in draws]
    lists = [list(itertools.combinations(range(n), g)) for n, g, _ in draws]
    totals = [
        sum(sum(code < u for code in chosen) for chosen, (_, _, u) in zip(each, draws, strict=True))
        for each in itertools.product(*lists)
    ]
    assert np.exp(hypergeometric_log_tail(score, draws)) == pytest.approx(np.mean(np.array(totals) >= score), rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 6), max_size=8), st.integers(0, 30))
def test_the_tail_of_coins_is_the_sum_over_all_outcomes(weights: list[int], score: int) -> None:
    outcomes = itertools.product((0, 1), repeat=len(weights))
    totals = [sum(w * c for w, c in zip(weights, coins, strict=True)) for coins in outcomes]
    assert np.exp(coins_log_tail(score, weights)) == pytest.approx(np.mean(np.array(totals) >= score), rel=1e-9)


def test_colours_by_the_code_before_need_codes_in_order() -> None:
    model = tiny(Nar)
    mark_generator(model, mark_of("kgw-1"), 2.0)
    with pytest.raises(EvalkitError, match="does not draw one code after another"):
        model.sample_tokens([Request("0", class_id=0)])
    model = tiny(Nar)
    mark_generator(model, mark_of("kgw-0"), float("inf"))
    codes = model.sample_tokens([Request("0", class_id=0)]).numpy()
    assert mark_of("kgw-0").colours(codes[0], 0).all()
    with pytest.raises(EvalkitError, match="cannot be marked afterwards"):
        mark_of("kgw-1").green_codes(0)
    assert mark_of("kgw-0").green_codes(0).sum() == V // 4


def test_strata_have_their_share_of_green_each() -> None:
    mark = mark_of("wmar")
    for before in range(6):
        green = mark.list_after(before)  # type: ignore[attr-defined]
        assert green[DEAD > 0].sum() == 6
        assert green[DEAD == 0].sum() == 2
    with pytest.raises(EvalkitError, match="--frequencies FILE"):
        build_mark(MarkSpec.from_dict(mark.as_dict()), KEY, "t@x", V)
    with pytest.raises(EvalkitError, match="the mark wants"):
        build_mark(MarkSpec.from_dict(mark.as_dict()), KEY, "t@x", V, frequencies=DEAD[::-1].copy())


def test_published_scores_are_the_authors_and_no_p_values() -> None:
    codes = repeated(5)[:, :40].clip(0)
    mark = mark_of("indexmark")
    scores = mark.score(codes)
    ratio = [mark.colours(row, int(j)).mean() for row, j in zip(codes, scores.list_id, strict=True)]
    assert np.allclose(mark.published(scores)["green_ratio"], ratio)
    z = mark_of("kgw-0")
    assert z.published(z.score(codes))["z"].shape == (5,)


def test_methods_that_need_a_codebook_bits_or_a_number_say_so() -> None:
    with pytest.raises(EvalkitError, match="needs a codebook"):
        build_mark(MarkSpec("indexmark"), KEY, "t@x", V)
    with pytest.raises(EvalkitError, match="Give --clusters N"):
        build_mark(MarkSpec("clusters"), KEY, "t@x", V, codebook=lambda: CODEBOOK)
    with pytest.raises(EvalkitError, match="no patterns of bits"):
        build_mark(MarkSpec("bitmark"), KEY, "t@x", V)
    with pytest.raises(EvalkitError, match="vectors of bits"):
        build_mark(MarkSpec(), KEY, "t@x", 2, bits=32, packed=False)
    with pytest.raises(EvalkitError, match="while they are generated"):
        mark_of("bitmark").green_codes(0)
    with pytest.raises(EvalkitError, match="not those of the mark"):
        build_mark(MarkSpec("indexmark", groups="0" * 64), KEY, "t@x", V, codebook=lambda: CODEBOOK)


def tiny(cls: type) -> LlamaGen | Nar:
    size = {"layers": 2, "heads": 2, "width": 16, "codes": V, "classes": 5}
    config = LlamaGenConfig(**size, grid=6) if cls is LlamaGen else NarConfig(**size, grid=3)  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = cls.build(config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.2)
    return cls(Source("tiny", config, None, None, None, None, torch.device("cpu"), torch.float32), network)


def test_places_count_every_code_whatever_repeats_and_know_their_place() -> None:
    mark = mark_of("places")
    scores = mark.score(np.full((1, 64), 3))
    assert int(scores.distinct[0]) == 64
    assert scores.log_p_floor[0] == pytest.approx(64 * np.log(0.5))
    greens = [int(mark_of("places", Key(bytes([i]) * 32)).score(np.full((1, 64), 3)).green[0]) for i in range(200)]
    assert np.var(greens) == pytest.approx(16, rel=0.4)  # 64 coins, not one
    moved = np.roll(np.arange(30), 1)
    assert (mark.colours(np.arange(30), 0) != mark.colours(moved, 0)).any()


def test_a_place_without_a_green_cluster_is_left_alone() -> None:
    mark = mark_of("places", spec=MarkSpec("places", clusters=2, gamma=0.1))
    logits = torch.zeros(1, 48, V)
    biased = mark.bias(logits, Step(0, range(48), torch.zeros(1, 0, dtype=torch.long), (0,)), float("inf"))
    assert torch.isfinite(biased).any(-1).all()
