"""HACK on tiny next-scale runners: budget 1 is the plain run, kept keys, told-apart heads, what is reported."""

import pytest
import torch
from helpers.near import near
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.generators.accelerate.hack import Hack, Observing, calibration, compress, contextual_heads, head_spread
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.nets.head_budgets import BudgetCache
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler
from evalkit.generators.var import Var, VarConfig
from evalkit.jobs.options import RunOptions
from evalkit.tasks.generate import generate_images
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.var import Var as VarTokenizer
from evalkit.tokenizers.var import VarConfig as VarTokenizerConfig

SCALES = (1, 2, 3, 4, 5)
CARRIED = 1 + 4 + 9 + 16
TINY = VarConfig(4, SCALES, head=8, codes=24, dim=8, classes=5)


@pytest.fixture
def model():
    torch.manual_seed(0)
    network = Var.build(TINY)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.4)
    made = Var(Source("tiny", TINY, None, None, None, None, torch.device("cpu"), torch.float32), network)
    net = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=8, attention=frozenset(), fused=True)
    kept = VarTokenizerConfig(SCALES, net, 24)
    made._tokenizer = VarTokenizer("tiny", kept, VarTokenizer.build(kept), torch.device("cpu"), torch.float32)
    return made


def requests(n=3):
    return [Request(str(i), class_id=i, seed=10 + i, sampler=Sampler(Guidance("var", 2.0))) for i in range(n)]


def scored(model):
    """Logits of all scales where every code is drawn as if all were alike, whatever the network says."""
    seen = []
    model.logits_processors = [lambda logits, step: (seen.append(logits), torch.zeros_like(logits))[1]]
    model.sample_tokens(requests())
    model.logits_processors = []
    return torch.cat(seen, 1)


def test_budget_one_is_the_plain_run_to_the_last_byte(model):
    plain = model.generate(requests())
    plan = compress(model, Hack(1.0, samples=1))
    assert all((a.pixels == b.pixels).all() for a, b in zip(plain, model.generate(requests()), strict=True))
    report = plan.report()
    assert report["law"] == "unchanged"
    assert report["kv_keys"] == report["kv_keys_plain"] == CARRIED
    assert report["kv_bytes"] == report["kv_bytes_plain"] > 0


def test_a_budget_is_kept_is_reported_and_changes_the_law(model):
    plain = scored(model)
    plan = compress(model, Hack(0.5, samples=2))
    cut = scored(model)
    first = SCALES[0] ** 2
    assert torch.equal(cut[:, :first], plain[:, :first])  # nothing is given up before the first scale
    assert not near(cut[:, first:], plain[:, first:], 1e-3)
    report = plan.report()
    assert report["law"] == "changed"
    assert report["kv_keys"] == pytest.approx(0.5 * CARRIED, abs=1)
    assert report["kv_bytes"] < report["kv_bytes_plain"]
    rows, layers, width = 2 * 4, 4, 32  # three requests run as four, and so do their unconditional ones
    assert report["kv_bytes_plain"] == 2 * 4 * rows * layers * width * CARRIED
    assert (report["heads"], report["contextual_heads"]) == (16, 8)
    model.plan = None
    assert torch.equal(plain, scored(model))


class Whole:
    """Budgets that leave nothing out, through the compressed path all the same."""

    def new_cache(self, plain, lengths):
        classes = torch.rand(4, 4, generator=torch.Generator().manual_seed(1)) < 0.5
        self.cache = BudgetCache(classes, (CARRIED, CARRIED), lengths, 32)
        return self.cache


def test_the_compressed_path_with_room_for_all_draws_the_plain_codes(model):
    plain = model.sample_tokens(requests())
    model.plan = plan = Whole()
    assert torch.equal(plain, model.sample_tokens(requests()))
    assert plan.cache.peak_keys == CARRIED
    assert not plan.cache.held


def test_compressed_images_do_not_depend_on_the_batch(model):
    compress(model, Hack(0.4, samples=1))
    together = model.sample_tokens(requests(5))
    alone = [model.sample_tokens([request])[0] for request in reversed(requests(5))][::-1]
    assert torch.equal(together, torch.stack(alone))


def test_structural_heads_keep_the_first_two_scales_and_the_newest_and_contextual_ones_what_is_looked_at():
    torch.manual_seed(1)
    cache = BudgetCache(torch.tensor([[True, False]]), (2, 14), tuple(s * s for s in (*SCALES, 6)), 32)
    looked = 7  # of the third scale: all queries turn to it
    start = 0
    for side in (1, 2, 3, 4):
        n = side * side
        k = 0.01 * torch.randn(1, 2, n, 4)
        if start <= looked < start + n:
            k[:, :, looked - start] = 5.0
        cache.attend(0, torch.ones(1, 2, n, 4), k, torch.randn(1, 2, n, 4), 1.0)
        cache.advance(n)
        start += n
        kept = cache.held[0, 1].places[0, 0].tolist()
        assert len(kept) == min(start, 14)
        if side == 3:
            assert kept == list(range(14))
    assert looked in cache.held[0, 0].places[0, 0].tolist()
    assert len(cache.held[0, 0].places[0, 0]) == 2
    # 5 of the first scales and 16 new ones do not fit into 14: those that drew most of them stay, the third scale goes
    assert not set(kept) & set(range(5, 14))


def test_structural_heads_give_what_room_is_left_to_what_drew_most():
    torch.manual_seed(1)
    cache = BudgetCache(torch.tensor([[False]]), (1, 22), (1, 4, 9, 16, 25), 32)
    start = 0
    for n in (1, 4, 9, 16):
        k = 0.01 * torch.randn(1, 1, n, 4)
        if n == 9:
            k[:, :, 3] = 4.0
        cache.attend(0, torch.ones(1, 1, n, 4), k, torch.randn(1, 1, n, 4), 1.0)
        cache.advance(n)
        start += n
    kept = cache.held[0, 1].places[0, 0].tolist()
    assert kept == [0, 1, 2, 3, 4, 8, *range(14, 30)]


def test_heads_that_look_at_the_same_keys_from_everywhere_are_contextual(model):
    network = model.network
    # head 1 of layer 0 gets queries that no position changes
    width = network.head_width
    network.blocks[0].attn.mat_qkv.weight[width : 2 * width].zero_()
    network.blocks[0].attn.q_bias[width : 2 * width].fill_(1.0)
    spread = head_spread(model, Hack(0.5, samples=2))
    assert spread.shape == (4, 4)
    assert spread[0, 1] < 1e-9
    assert spread.argmin() == 1
    assert (spread.flatten()[2:] > 1e-6).all()
    assert contextual_heads(spread, 1 / 16).flatten().tolist() == [i == 1 for i in range(16)]
    assert model.plan is None


def test_observing_does_not_change_what_is_drawn(model):
    plain = model.sample_tokens(requests())
    model.plan = Observing(32)
    assert torch.equal(plain, model.sample_tokens(requests()))


def test_calibration_spreads_over_classes_or_takes_plain_prompts(model):
    assert [request.class_id for request in calibration(model, 3)] == [0, 1, 3]

    class Text:
        plan = None

    asked = calibration(Text(), 9)
    assert asked[0].prompt == "a photo of a dog"
    assert len({request.seed for request in asked}) == 9


@settings(deadline=None)
@given(st.floats(0.05, 1), st.floats(0.01, 1), st.floats(0, 1), st.integers(20, 3000))
def test_heads_keep_the_budget_on_average_and_structural_ones_no_less(budget, contextual, share, carried):
    small, large = Hack(budget, contextual).keep(carried, share)
    if 0.001 < share < 0.999:
        assert small <= large + 1 or contextual > budget
        assert share * small + (1 - share) * large == pytest.approx(budget * carried, abs=1.5)
    assert 1 <= min(small, large) <= max(small, large) <= carried


@pytest.mark.parametrize("bad", [{"budget": 0.0}, {"budget": 1.2}, {"contextual": 0}, {"share": 2}, {"samples": 0}])
def test_settings_that_mean_nothing_are_refused(bad):
    with pytest.raises(EvalkitError, match="hack"):
        Hack(**{"budget": 0.5, **bad})


def test_a_run_reports_what_was_kept_and_what_it_changed(model, tmp_path):
    options = RunOptions(out=tmp_path / "run", device="cpu")
    run = generate_images(model, "classes:imagenet:0-2", accelerate="hack:budget=0.5,samples=1", options=options)
    said = run.record["acceleration"]
    assert (said["kind"], said["law"]) == ("hack", "changed")
    assert said["kv_keys"] < said["kv_keys_plain"] == CARRIED
    assert said["kv_bytes"] < said["kv_bytes_plain"]
    assert said["speed_up"] > 0
    assert "8 rows at once" in said["measured_on"]
    assert run.record["plan"]["parameters"]["accelerate"]["budget"] == 0.5
    sealed = generate_images(model, "classes:imagenet:0-2", accelerate="hack:budget=0.5,samples=1", options=options)
    assert sealed.record == run.record
