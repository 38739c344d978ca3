import numpy as np
import pytest
import torch
from helpers.near import are_best, same
from helpers.steady import steady

transformers = pytest.importorskip("transformers")

from helpers.small.janus import tiny_janus  # noqa: E402

from evalkit.errors import WeightsError  # noqa: E402
from evalkit.generators.base import Request  # noqa: E402
from evalkit.generators.guidance import Guidance  # noqa: E402
from evalkit.generators.likelihood import ImageLikelihood, check_likelihood  # noqa: E402
from evalkit.generators.registry import load_generator  # noqa: E402
from evalkit.generators.sampling import Sampler  # noqa: E402

GOLDEN = 91.19837820404734  # nats of an image's codes under weights of a formula


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny Janus in transformers' layout: 16 codes, 64 px."""
    return tiny_janus(tmp_path_factory.mktemp("janus"))


@pytest.fixture
def model(folder):
    return load_generator("janus-pro-1b", folder, "cpu", "float32")


def greedy(scale):
    return Sampler(Guidance("llamagen", scale), top_k=1)


def test_greedy_codes_are_those_of_transformers_own_loop(model):
    request = Request("0", prompt="a red apple", sampler=greedy(5.0))
    ours = model.sample_tokens([request])
    inputs = torch.tensor([model.prompt_ids("a red apple")])
    config = transformers.GenerationConfig(
        bos_token_id=1, pad_token_id=0, eos_token_id=2, guidance_scale=5.0, do_sample=False, max_length=64
    )
    config.generation_kwargs = {"boi_token_id": 4}
    theirs = model.model.generate(
        inputs, attention_mask=torch.ones_like(inputs), generation_config=config, generation_mode="image"
    )
    assert torch.equal(ours, theirs)
    assert len(set(ours[0].tolist())) > 3


def test_teacher_forcing_predicts_the_unguided_greedy_codes(model):
    requests = [Request(str(i), prompt=p, sampler=greedy(1.0)) for i, p in enumerate(["a red apple", "blue"])]
    tokens = model.sample_tokens(requests)
    logits = model.logits(model.encode_conditions(requests), tokens)
    assert logits.shape == (2, 16, 24)
    assert are_best(tokens, logits)


def test_images_do_not_depend_on_the_batch(model):
    requests = [Request(str(i), prompt=p, seed=i) for i, p in enumerate(["a red apple", "blue apple", "a blue apple"])]
    together = model.generate(requests)
    alone = [model.generate([request])[0] for request in reversed(requests)][::-1]
    for a, b in zip(together, alone, strict=True):
        assert (a.pixels == b.pixels).all()
    assert together[0].pixels.shape == (64, 64, 3)
    assert together[0].evaluations == 16


def test_steps_differ_in_numbers_alone(model, monkeypatch):
    seen, plain = [], type(model.language).forward

    def watched(self, **given):
        out = plain(self, **given)
        layer = given["past_key_values"].layers[0]
        shapes = tuple(given[name].shape for name in ("inputs_embeds", "attention_mask", "position_ids"))
        seen.append((shapes, layer.keys.data_ptr(), layer.keys.shape))
        return out

    monkeypatch.setattr(type(model.language), "forward", watched)
    model.sample_tokens([Request("0", prompt="a red apple"), Request("1", prompt="blue")])
    assert len(seen) == 16
    assert len(set(seen[1:])) == 1  # the same shapes and the same memory from the second code on
    assert seen[0][1:] == seen[1][1:]


def test_processors_see_guided_logits_of_each_step(model):
    seen = []

    def only_seven(logits, step):
        seen.append((step.number, step.tokens.shape[1], logits.shape))
        return logits.index_fill(-1, torch.tensor([i for i in range(24) if i != 7]), -torch.inf)

    model.logits_processors.append(only_seven)
    tokens = model.sample_tokens([Request("0", prompt="blue")])
    assert set(tokens.flatten().tolist()) == {7}
    assert seen[3] == (3, 3, (1, 1, 24))


def test_a_folder_that_lacks_parameters_is_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = load_file(tmp_path / "model.safetensors")
    dropped = next(name for name in state if "generation_head" in name)
    save_file(
        {k: v for k, v in state.items() if k != dropped}, tmp_path / "model.safetensors", metadata={"format": "pt"}
    )
    with pytest.raises(WeightsError, match="lacks 1 parameters"):
        load_generator("janus-pro-1b", tmp_path, "cpu", "float32")
    with pytest.raises(WeightsError, match="no folder"):
        load_generator("janus-pro-1b", tmp_path / "nowhere", "cpu", "float32")


def test_without_weights_the_place_is_named(monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", "/nowhere")
    with pytest.raises(WeightsError, match="deepseek-community/Janus-Pro-7B"):
        load_generator("janus-pro-7b", device="cpu")


def test_the_likelihood_of_an_image_is_that_of_the_networks_own_logits(folder):
    model = load_generator("janus-pro-1b", folder, "cpu", "float32")
    steady(model.model)
    scored = ImageLikelihood(check_likelihood(model))
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    codes = scored.codes(image)
    assert codes.shape == (1, 16)
    whole, own = model.model, torch.tensor([model.prompt_ids("a red apple")])
    inside = whole.model.get_input_embeddings()(own)
    given = torch.cat([inside, whole.prepare_embeddings_for_image_generation(codes[:, :-1])], 1)
    hidden = whole.model.language_model(inputs_embeds=given).last_hidden_state[:, own.shape[1] - 1 :]
    wanted = torch.nn.functional.cross_entropy(
        whole.model.generation_head(hidden)[0].double(), codes[0], reduction="none"
    )
    nats = scored.nats(image, Request("x", "a red apple"))
    same(nats, wanted, 1e-5)
    assert float(nats.sum()) == pytest.approx(GOLDEN, rel=1e-4)
    assert float(scored.nats(image, Request("x", "a blue apple")).sum()) != pytest.approx(GOLDEN, rel=1e-3)


def test_images_are_decoded_and_coded_in_float32_whatever_the_precision_of_the_language_model(folder):
    model = load_generator("janus-pro-1b", folder, "cpu", "bfloat16")
    (image,) = model.generate([Request("0", prompt="a red apple")])
    assert torch.isfinite(ImageLikelihood(model).nats(image.pixels, Request("0", "a red apple"))).all()
