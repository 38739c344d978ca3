"""Distilled Decoding: steps, what a second pass keeps, images, and which weights of the official file are taken."""

import pytest
import torch
from helpers.filled import fill, generator
from helpers.near import same
from helpers.small.distilled import DISTILLED, SMALL_VAR, with_codebook

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.distilled import DistilledConfig, VarDistilled
from evalkit.generators.registry import GENERATORS, Source
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.var import Var as VarTokenizer
from evalkit.tokenizers.var import VarConfig as VarTokenizerConfig

NET = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=8, attention=frozenset(), fused=True)


@pytest.fixture(params=sorted(DISTILLED["dd"]))
def model(request):
    case = DISTILLED["dd"][request.param]
    return with_codebook(generator(case.cls, case.config, case.gains))


def test_the_first_places_are_codes_and_a_second_pass_keeps_them(model):
    config, table = model.config, model.tokenizer.network.quantize.table()
    noise = torch.randn(2, model.places, model.dim, generator=torch.Generator().manual_seed(1))
    one, two = (model.draw_latents(torch.tensor([0, 3]), noise, steps) for steps in (1, 2))
    nearest = torch.cdist(one[:, : config.split], table).min(-1).values
    assert nearest.max() < 1e-3
    assert torch.cdist(one[:, config.split :], table).min() > 1e-3
    assert torch.equal(one[:, : config.again], two[:, : config.again])
    assert not torch.equal(one, two)


def test_a_place_sees_no_later_one(model):
    noise = torch.randn(1, model.places, model.dim, generator=torch.Generator().manual_seed(1))
    other = noise.clone()
    other[:, -1] += 1
    first, second = (model.predict(torch.tensor([1]), each, 0)[0] for each in (noise, other))
    same(first[:, :-1], second[:, :-1], 1e-5)
    assert not torch.allclose(first[:, -1], second[:, -1])


@pytest.mark.parametrize("steps", [3, 10])
def test_other_numbers_of_steps_are_refused(model, steps):
    from dataclasses import replace

    sampler = replace(model.default_sampler, steps=steps)
    with pytest.raises(EvalkitError, match="one or two steps"):
        model.generate([Request("0", class_id=1, sampler=sampler)])


def test_images_come_out_of_the_tokenizers_decoder_with_the_steps_as_evaluations():
    model = generator(VarDistilled, DistilledConfig(SMALL_VAR, 5, 5))
    settings = VarTokenizerConfig(SMALL_VAR.scales, NET, 14)
    network = VarTokenizer.build(settings)
    fill(network)
    model._tokenizer = VarTokenizer("tiny", settings, network, torch.device("cpu"), torch.float32)
    (image,) = model.generate([Request("0", class_id=1, seed=4)])
    assert image.pixels.shape == (48, 48, 3)
    assert image.evaluations == 1
    (same_image,) = model.generate([Request("1", class_id=1, seed=4)])
    assert (image.pixels == same_image.pixels).all()
    codes = torch.arange(14).repeat(1, 1)[:, : model.places]
    looked_up = torch.nn.functional.embedding(codes, network.quantize.table())
    decoded = model._tokenizer.decode(model._tokenizer.codes(indices=codes))
    levels = (decoded[0].permute(1, 2, 0) * 255).clamp(0, 255).round().numpy()
    assert (
        abs(model._pixels(looked_up)[0].astype(float) - levels).max() <= 1
    )  # codes decode as the tokenizer decodes them


def test_the_running_mean_of_the_official_file_is_taken(tmp_path):
    entry, config = GENERATORS.get("var-dd-d16"), DistilledConfig(SMALL_VAR, 5, 5)
    network = VarDistilled.build(config)
    fill(network)
    right = network.state_dict()
    wrong = {name: value + 1 for name, value in right.items()}
    extra = {"lvl_1L": torch.zeros(1, 3), "blocks.0.attn.zero_k_bias": torch.zeros(16)}
    path = tmp_path / "var-d16.pth"
    torch.save({"trainer": {"var_wo_ddp": {**wrong, **extra}, "ema_parameters": right}}, path)
    source = Source("var-dd-d16", config, entry.weights, "var", path, None, torch.device("cpu"), torch.float32)
    made = VarDistilled.load(source)
    assert torch.equal(made.network.word_embed.weight, right["word_embed.weight"])


def test_the_released_models_keep_the_places_of_the_authors_commands():
    known = {name: GENERATORS.get(name).config for name in GENERATORS if "-dd-" in name}
    assert {name: (config.split, config.again) for name, config in known.items()} == {
        "var-dd-d16": (55, 55),
        "var-dd-d20": (30, 30),
        "var-dd-d24": (30, 30),
        "llamagen-dd-b": (80, 80),
        "llamagen-dd-l": (130, 80),
    }
