"""The likelihood of codes: a distribution over all of them, and refusals of models that have none."""

import itertools
import math

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.likelihood import ImageLikelihood, check_likelihood, code_nats, coded_side, of_codes
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.registry import Source, load_generator
from evalkit.tokenizers.base import Codes
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene

TINY = LlamaGenConfig(layers=1, heads=2, width=8, codes=3, classes=2, grid=2)


@pytest.fixture(scope="module")
def world():
    return load_generator("world-ar", device="cpu")


class Lookup:
    """Stands for a tokenizer of one code for 16 x 16 pixels."""

    name, native_size, multiple = "lookup", 32, 16

    def tokens_per_image(self, height, width):
        return (height // 16) ** 2


def tiny():
    torch.manual_seed(1)
    network = LlamaGen.build(TINY)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.7)
    return LlamaGen(Source("tiny", TINY, None, None, None, None, torch.device("cpu"), torch.float32), network)


def test_the_probabilities_of_all_images_of_a_tiny_model_sum_to_one():
    model = tiny()
    whole = torch.tensor(list(itertools.product(range(3), repeat=4)))
    nats = code_nats(model, [Request("x", class_id=1)] * len(whole), whole)
    assert nats.shape == (81, 4)
    assert float((-nats.sum(1)).exp().sum()) == pytest.approx(1, abs=1e-6)


def test_the_last_code_is_a_distribution_and_leaves_those_before_it_alone():
    model = tiny()
    codes = torch.tensor([[2, 0, 1, last] for last in range(3)])
    nats = code_nats(model, [Request("x", class_id=0)] * 3, codes)
    assert torch.equal(nats[0, :3], nats[1, :3])
    assert float((-nats[:, 3]).exp().sum()) == pytest.approx(1, abs=1e-6)


def test_an_images_likelihood_depends_on_no_batch(world):
    asked = [Request(p.id, p.caption) for p in world_prompts()[:3]]
    codes = torch.randint(0, 1024, (3, 64), generator=torch.Generator().manual_seed(0))
    together = code_nats(world, asked, codes)
    assert torch.equal(together[1:2], code_nats(world, asked[1:2], codes[1:2]))


def test_a_caption_that_fits_is_likelier_than_one_that_does_not(world):
    scored, prompts = ImageLikelihood(world), world_prompts()[:6]
    images = [render_scene(each.scene) for each in prompts]
    nats = np.array([[float(scored.nats(i, Request("x", p.caption)).sum()) for p in prompts] for i in images])
    assert (nats.argmin(1) == np.arange(6)).mean() >= 5 / 6


def test_images_of_another_size_are_brought_to_the_size_of_the_codes(world):
    scored = ImageLikelihood(world)
    assert scored.side == 64
    image = render_scene(world_prompts()[0].scene)
    grown = np.repeat(np.repeat(image, 2, 0), 2, 1)
    assert scored.codes(grown).shape == scored.codes(image).shape == (1, 64)


def test_models_that_draw_larger_than_they_save_are_asked_at_the_size_that_they_draw():
    model = tiny()
    assert coded_side(model, Lookup()) == 32
    model.tokens_per_image = 9
    assert coded_side(model, Lookup()) == 48
    model.tokens_per_image = 7
    with pytest.raises(EvalkitError, match="no square image has 7 codes"):
        coded_side(model, Lookup())


def test_codes_of_another_tokenizer_are_refused_in_one_sentence(world, monkeypatch):
    scored = ImageLikelihood(world)
    monkeypatch.setattr(type(world.tokenizer), "encode", lambda self, x: Codes(indices=torch.zeros(1, 5).long()))
    with pytest.raises(EvalkitError, match="gives 5 codes"):
        scored.codes(render_scene(world_prompts()[0].scene))


def test_models_without_codes_say_that_there_is_no_likelihood():
    from evalkit.generators.base import Generator, TokenGenerator

    for kind, words in ((Generator, "no discrete codes"), (TokenGenerator, "makes no codes of images")):
        made = type("Made", (kind,), {"name": "made", **dict.fromkeys(kind.__abstractmethods__)})()
        with pytest.raises(EvalkitError, match=words):
            check_likelihood(made)


def test_uniform_logits_cost_the_logarithm_of_the_vocabulary(world, monkeypatch):
    monkeypatch.setattr(type(world), "logits", lambda self, conditions, tokens: torch.zeros(*tokens.shape, 1024))
    nats = ImageLikelihood(world).nats(render_scene(world_prompts()[0].scene), Request("x", "a photo of a red apple"))
    assert nats.numpy() == pytest.approx(math.log(1024), rel=1e-12)


def test_a_vector_of_bits_costs_what_its_bits_cost():
    logs = torch.tensor([0.25, 0.75]).log().double().expand(1, 2, 3, 2)
    bits = torch.tensor([[[0, 1, 1], [0, 0, 0]]])
    wanted = [math.log(0.25 * 0.75 * 0.75), 3 * math.log(0.25)]
    assert of_codes(logs, bits)[0].tolist() == pytest.approx(wanted)
