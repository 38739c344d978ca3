import json

import numpy as np
import pytest
import torch
from helpers.near import are_best, same
from helpers.steady import steady

transformers = pytest.importorskip("transformers")

from evalkit.errors import WeightsError  # noqa: E402
from evalkit.generators.base import Request  # noqa: E402
from evalkit.generators.likelihood import ImageLikelihood, check_likelihood  # noqa: E402
from evalkit.generators.registry import load_generator  # noqa: E402
from evalkit.generators.sampling import Sampler  # noqa: E402

GOLDEN = 40.6395877005849  # nats of an image's codes under weights of a formula


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny ImageGPT: 4 x 4 pixels of 6 colours."""
    path = tmp_path_factory.mktemp("imagegpt")
    torch.manual_seed(0)
    config = transformers.ImageGPTConfig(vocab_size=7, n_positions=16, n_embd=16, n_layer=2, n_head=2)
    model = transformers.ImageGPTForCausalImageModeling(config)
    with torch.no_grad():
        model.lm_head.weight.mul_(40)
    model.save_pretrained(path)
    clusters = np.linspace(-1, 1, 18).reshape(6, 3).tolist()
    (path / "preprocessor_config.json").write_text(json.dumps({"clusters": clusters}))
    return path


def test_greedy_pixels_are_those_that_teacher_forcing_predicts(folder):
    model = load_generator("imagegpt-small", folder, "cpu", "float32")
    requests = [Request("0", sampler=Sampler(top_k=1))]
    tokens = model.sample_tokens(requests)
    logits = model.logits(model.encode_conditions(requests), tokens)
    assert logits.shape == (1, 16, 6)
    assert are_best(tokens, logits)


def test_images_are_colours_of_the_clusters_and_depend_on_the_seed_alone(folder):
    model = load_generator("imagegpt-small", folder, "cpu", "float32")
    requests = [Request(str(i), seed=i) for i in range(10)]
    together = model.generate(requests)
    alone = model.generate(requests[7:8])[0]
    assert np.array_equal(together[7].pixels, alone.pixels)
    assert together[0].pixels.shape == (4, 4, 3)
    levels = np.round(127.5 * (np.linspace(-1, 1, 18).reshape(6, 3) + 1)).astype(np.uint8)
    assert {tuple(p) for p in together[0].pixels.reshape(-1, 3)} <= {tuple(c) for c in levels}


@pytest.mark.parametrize("text", [None, "{}", '{"clusters": [1, 2]}'])
def test_a_folder_without_colours_is_refused(folder, tmp_path, text):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "preprocessor_config.json").unlink()
    if text is not None:
        (tmp_path / "preprocessor_config.json").write_text(text)
    with pytest.raises(WeightsError, match="clusters"):
        load_generator("imagegpt-small", tmp_path, "cpu", "float32")


def test_the_likelihood_of_an_image_is_that_of_the_networks_own_logits(folder):
    model = load_generator("imagegpt-small", folder, "cpu", "float32")
    steady(model.model)
    scored = ImageLikelihood(check_likelihood(model))
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    centres = 127.5 * (np.linspace(-1, 1, 18).reshape(6, 3) + 1)
    codes = np.square(image.reshape(-1, 1, 3) - centres).sum(-1).argmin(1)
    assert scored.codes(image)[0].tolist() == codes.tolist()
    before = torch.tensor([[6, *codes[:-1]]])
    logits = model.model(input_ids=before).logits[0, :, :6]
    wanted = torch.nn.functional.cross_entropy(logits.double(), torch.tensor(codes), reduction="none")
    nats = scored.nats(image, Request("x"))
    same(nats, wanted, 1e-5)
    assert float(nats.sum()) == pytest.approx(GOLDEN, rel=1e-4)


def test_an_image_of_the_colours_comes_back_as_it_is(folder):
    model = load_generator("imagegpt-small", folder, "cpu", "float32")
    made = model.generate([Request("0", seed=3)])[0].pixels
    tokens = model.sample_tokens([Request("0", seed=3)])
    assert torch.equal(ImageLikelihood(model).codes(made), tokens)
