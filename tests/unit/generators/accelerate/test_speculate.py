"""Draft and verify: greedy codes are the plain loop's, the law of sampled ones too, requests stay independent."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from evalkit.generators.accelerate.rules import exact
from evalkit.generators.accelerate.settings import Gsd, Lantern, Speculative
from evalkit.generators.accelerate.speculate import Speculation, totals
from evalkit.generators.accelerate.start import accelerate
from evalkit.generators.acceptance import Accepted
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.llamagen import LlamaGenConfig, LlamaGenText
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.registry import Source, load_generator
from evalkit.generators.sampling import Sampler, law

FAMILIES = ("llamagen", "d-ar", "gigatok", "gigatok-shared", "hita")
SAMPLED = Sampler(Guidance("llamagen", 1.5), temperature=1.2, top_p=0.9)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("length", "interval"), [(1, None), (4, 2), (30, None)])
def test_greedy_codes_are_those_of_the_plain_loop(tiny, name, length, interval):
    model = tiny.family(name)
    sampler = Sampler(Guidance("llamagen", 2.0, interval=interval), top_k=1)
    plain = model.sample_tokens(tiny.asked(3, sampler))
    for draft in (None, tiny.family(name, 7), model):
        model.drawing = Speculation(model, draft, exact, length)
        assert torch.equal(model.sample_tokens(tiny.asked(3, sampler)), plain)
        model.drawing = None


def test_greedy_codes_behind_a_padded_caption_are_those_of_the_plain_loop(tiny, monkeypatch):
    config = LlamaGenConfig(2, 2, 16, grid=3, codes=24, caption=8, caption_tokens=5)
    torch.manual_seed(0)
    network = LlamaGenText.build(config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.3)
    source = Source("text", config, None, None, None, None, torch.device("cpu"), torch.float32)
    model = LlamaGenText(source, network)
    features = torch.randn(1, 5, 8)
    packed = TextFeatures.left_padded(features, torch.tensor([[1, 1, 0, 0, 0]])).packed()
    monkeypatch.setattr(model, "encode_conditions", lambda requests: packed.expand(len(requests), -1, -1))
    requests = [Request("a", prompt="x", sampler=tiny.greedy)]
    plain = model.sample_tokens(requests)
    model.drawing = Speculation(model, None, exact, 4)
    assert torch.equal(model.sample_tokens(requests), plain)


@pytest.mark.parametrize("draft", ["jacobi", "world-ar-draft"])
def test_greedy_captions_of_the_world_are_those_of_the_plain_loop(draft):
    model = load_generator("world-ar", device="cpu")
    sampler = Sampler(Guidance("llamagen", 3.0), top_k=1)
    requests = [
        Request(str(i), prompt=p, sampler=sampler, seed=i) for i, p in enumerate(["a photo of a red apple", ""])
    ]
    plain = model.sample_tokens(requests)
    accelerate(model, Speculative(draft, 8), lambda name: load_generator(name, device="cpu"))
    assert torch.equal(model.sample_tokens(requests), plain)
    assert model.drawing.counted[1].target_evaluations < 40


class Listed:
    """A model of three codes whose logits are a table of what stands before; both branches of guidance."""

    name, tokens_per_image, vocab_size, one_by_one, logits_processors = "listed", 3, 3, True, ()

    def __init__(self, seed):
        rng = torch.Generator().manual_seed(seed)
        self.table = 1.5 * torch.randn(2, 40, 3, generator=rng)
        self.read = torch.zeros(0, dtype=torch.int64)

    def encode_conditions(self, requests):
        return torch.zeros(1, dtype=torch.int64)

    def null(self, conditions):
        return conditions + 1

    def decoding(self, conditions):
        return self

    def at(self, codes):
        """[2, V] behind codes [n]."""
        return self.table[:, int(sum((int(c) + 1) * 4**i for i, c in enumerate(codes))) % 40]

    def first(self):
        return self.at(())

    def block(self, codes, start):
        self.read = torch.cat([self.read[:start], codes[0]])
        return torch.stack([self.at(self.read[:n]) for n in range(start + 1, len(self.read) + 1)], 1)

    def law(self, codes, sampler):
        """The probability of a sequence under the plain loop."""
        mass = 1.0
        for n, code in enumerate(codes):
            both = self.at(codes[:n])
            mass *= float(law(sampler.guidance.combine(both[:1], both[1:], 0.0), sampler)[0, code])
        return mass


SEQUENCES = list(itertools.product(range(3), repeat=3))


def counts(model, draft, rule, images):
    """How often each sequence is drawn."""
    speculation, found = Speculation(model, draft, rule, 2), dict.fromkeys(SEQUENCES, 0)
    with torch.inference_mode():
        for seed in range(images):
            found[tuple(speculation.image(Request("", seed=seed), SAMPLED)[0].tolist())] += 1
    return np.array(list(found.values()))


def agreement(found, expected):
    """The p value of the counts under the law; rare sequences are taken together."""
    expected = expected * found.sum()
    common = expected >= 5
    found = [*found[common], found[~common].sum()]
    return chisquare(found, [*expected[common], max(expected[~common].sum(), 1e-9)]).pvalue


@pytest.mark.parametrize("draft", [None, Listed(2)])
def test_the_law_of_sampled_codes_is_that_of_the_plain_loop(draft):
    model = Listed(1)
    expected = np.array([model.law(codes, SAMPLED) for codes in SEQUENCES])
    assert expected.sum() == pytest.approx(1, abs=1e-6)

    def careless(drafted, *_):
        return Accepted(len(drafted), None)

    found = counts(model, draft, exact, 1200)
    assert agreement(found, expected) > 1e-3
    assert np.abs(found / 1200 - expected).sum() / 2 < 0.05
    assert agreement(counts(model, draft, careless, 300), expected) < 1e-6


@pytest.mark.parametrize("neutral", [Lantern(k=0), Lantern(delta=0.0), Gsd(length=5, half=0)])
def test_relaxed_rules_are_exact_at_their_neutral_parameters(tiny, neutral):
    model = tiny.llama()
    accelerate(model, Speculative())
    plain = model.sample_tokens(tiny.asked(12, SAMPLED))
    accelerate(model, neutral)
    assert torch.equal(model.sample_tokens(tiny.asked(12, SAMPLED)), plain)


def test_lantern_keeps_more_the_more_it_may_add(tiny):
    model, kept = tiny.llama(spread=0.8), []
    for delta in (0.0, 0.3, 1.0):
        accelerate(model, Lantern(delta=delta, length=4))
        notes = [image.notes["acceleration"] for image in model.generate(tiny.asked(6, SAMPLED))]
        kept.append(totals(notes)["kept"])
    assert kept[0] < kept[1] < kept[2]


def test_gsd_keeps_more_the_larger_the_groups(tiny):
    model, kept = tiny.llama(spread=0.8), []
    for half, distance in ((0, 0.5), (7, 99.0)):
        accelerate(model, Gsd(length=4, half=half, distance=distance, probability=1.0))
        kept.append(totals([image.notes["acceleration"] for image in model.generate(tiny.asked(6, SAMPLED))])["kept"])
    assert kept[0] < kept[1]


@pytest.mark.parametrize("settings", [Speculative(), Lantern(k=3), Gsd()])
def test_a_request_gives_the_same_image_in_any_company(tiny, settings):
    model = tiny.llama()
    accelerate(model, settings)
    together = model.generate(tiny.asked(5, SAMPLED))
    alone = [model.generate([request])[0] for request in reversed(tiny.asked(5, SAMPLED))][::-1]
    assert all((a.pixels == b.pixels).all() for a, b in zip(together, alone, strict=True))
    assert [a.notes for a in together] == [b.notes for b in alone]
    assert not all((a.pixels == together[0].pixels).all() for a in together)


@pytest.mark.parametrize("greedy", [True, False])
def test_processors_have_a_say_in_drafts_and_in_verification(tiny, greedy):
    sampler = tiny.greedy if greedy else SAMPLED
    model, draft, seen = tiny.llama(), tiny.llama(9, layers=1), []

    def ban_low(logits, step):
        seen.append(step)
        return logits.index_fill(-1, torch.arange(20), -torch.inf)

    model.logits_processors.append(ban_low)
    plain = model.sample_tokens(tiny.asked(1, tiny.greedy)) if greedy else None
    model.drawing = Speculation(model, draft, exact, 4)
    model.rows = 1
    seen.clear()
    codes = model.sample_tokens(tiny.asked(1, sampler))
    assert int(codes.min()) >= 20
    counted = model.drawing.counted[100]
    assert len(seen) == counted.drafted + sum(1 for _ in range(counted.rounds)) + counted.drafted + 1
    assert plain is None or torch.equal(codes, plain)


def test_passes_and_codes_are_counted(tiny):
    model = tiny.llama()
    accelerate(model, Speculative(draft="same", length=2), lambda name: same(tiny, model))
    image = model.generate(tiny.asked(1, tiny.greedy))[0]
    notes = image.notes["acceleration"]
    # nine codes: the first alone, then rounds of two drafts and one of the model's own, and what is left
    assert notes == {
        "target_evaluations": 4,
        "draft_evaluations": notes["draft_evaluations"],
        "rounds": 3,
        "drafted": 5,
        "kept": 5,
        "codes": 9,
    }
    assert image.evaluations == 4
    found = totals([notes, notes])
    assert (found["step_compression"], found["acceptance_rate"]) == (2.25, 1.0)
    assert found["acceptance_length"] == pytest.approx(5 / 3, abs=1e-4)
    assert totals([]) == {}


def same(tiny, model):
    other = tiny.llama()
    other.network.load_state_dict(model.network.state_dict())
    return other
