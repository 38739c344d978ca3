from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.filled import fill
from safetensors.torch import save_file

from evalkit.errors import EvalkitError, WeightsError
from evalkit.generators.base import Request
from evalkit.generators.registry import Source, load_generator
from evalkit.generators.world_ar import SECOND, WorldAR2
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.world.ar_net import WorldARNet
from evalkit.world.judge import verdict
from evalkit.world.second.detector import detect_all
from evalkit.world.second.int8 import narrowed, widened
from evalkit.world.second.prompts import second_prompts
from evalkit.world.second.render import render_scenes
from evalkit.world.second.vq_net import CONFIG, WorldVQ2Net

CPU = torch.device("cpu")
SMALL = replace(SECOND, width=32, layers=1, heads=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of both networks that mean nothing."""
    found = tmp_path_factory.mktemp("weights")
    for name, network in (("world_vq2", WorldVQ2Net(CONFIG)), ("world_ar2", WorldARNet(SMALL))):
        fill(network)
        state = {key: value.contiguous() for key, value in network.state_dict().items()}
        save_file(narrowed(state) if name == "world_ar2" else state, found / f"{name}.safetensors")
    return found


def test_a_code_sees_40_px():
    x = torch.rand(1, 3, 96, 96, requires_grad=True)
    WorldVQ2Net(CONFIG).encoder(x)[0, :, 6, 6].sum().backward()
    reached = x.grad.abs().sum((0, 1)).nonzero()
    assert (reached.amin(0) == 32).all()
    assert (reached.amax(0) == 71).all()


def test_weights_of_a_folder_make_images_and_they_are_the_same_again(folder):
    model = WorldAR2.load(
        Source("world-ar2", SMALL, "world_ar2.safetensors", "world-vq2", folder, None, CPU, torch.float32)
    )
    model.rows = 2
    asked = [Request("0", "a sketch of two dgos", seed=3), Request("1", "an animal without a cup", seed=4)]
    made = [image.pixels for image in model.generate(asked)]
    assert made[0].shape == (96, 96, 3)
    assert (model.sample_tokens(asked[::-1])[0] == model.sample_tokens(asked)[1]).all()
    with pytest.raises(EvalkitError, match=r"'unicorn'.*knows \d+ words.*--prompts world2$"):
        model.generate([Request("0", "a unicorn", seed=3)])


def test_the_tokenizer_takes_weights_of_a_file(folder):
    model = load_tokenizer("world-vq2", folder / "world_vq2.safetensors", "cpu")
    codes = model.encode(torch.rand(1, 3, 96, 96))
    assert codes.indices.shape == (1, 144)
    assert model.decode(codes).shape == (1, 3, 96, 96)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(WeightsError, match=r"world_ar2\.safetensors"):
        load_generator("world-ar2", tmp_path, "cpu")


def test_the_shipped_generator_shows_what_captions_demand_and_not_what_others_do():
    model, suite = load_generator("world-ar2", device="cpu"), second_prompts(24, task="negation")
    asked = [Request(p.id, p.caption, seed=i) for i, p in enumerate(suite)]
    seen = detect_all([image.pixels for image in model.generate(asked)])
    right = [verdict(p.demand, s).correct for p, s in zip(suite, seen, strict=True)]
    shuffled = [verdict(p.demand, s).correct for p, s in zip(suite, [*seen[5:], *seen[:5]], strict=True)]
    assert sum(right) >= 15
    assert sum(shuffled) <= 4


def test_the_shipped_tokenizer_keeps_scenes_and_reads_its_own_codes_again():
    model = load_tokenizer("world-vq2", device="cpu")
    images = render_scenes([p.scene for p in second_prompts(24)])
    x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    codes = model.encode(x)
    file = model.decode(codes).clamp(0, 1).mul(255).round() / 255
    assert -10 * (file - x).square().mean((1, 2, 3)).log10().mean() > 27.5
    assert (model.encode(file).values == codes.values).double().mean() > 0.95


def test_weights_of_one_byte_come_back_to_half_a_step():
    state = {"a": torch.randn(5, 4, 3) * torch.tensor([1e-3, 1.0, 9.0, 0.0, 1e-2]).view(5, 1, 1), "b": torch.randn(7)}
    stored = narrowed(state)
    back = widened(stored)
    assert stored["a"].dtype == torch.int8
    assert set(back) == set(state)
    step = state["a"].flatten(1).abs().amax(1) / 127
    assert ((back["a"] - state["a"]).flatten(1).abs().amax(1) <= 0.51 * step + 1e-6).all()
    torch.testing.assert_close(back["b"], state["b"], rtol=1e-3, atol=1e-4)
    assert widened(back).keys() == back.keys()
