"""The shipped world-vq and world-ar: they load without a network, reconstruct, follow captions, and keep their cache exact."""

import numpy as np
import pytest
import torch
from helpers.near import are_best

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler
from evalkit.prompts.load import load_prompts
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.world.detector import detect
from evalkit.world.judge import summary, verdict
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene


@pytest.fixture(scope="module")
def generator():
    return load_generator("world-ar", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("world-vq", device="cpu")


def asked(n, seed=5, sampler=None):
    return [Request(p.id, p.caption, seed=i, sampler=sampler) for i, p in enumerate(world_prompts(n, seed=seed))]


def photos(prompts):
    stack = np.stack([render_scene(p.scene) for p in prompts])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255


def test_reconstructions_are_sharp_enough_for_the_detector(tokenizer):
    prompts = world_prompts(48, seed=3)
    x = photos(prompts)
    codes = tokenizer.encode(x)
    assert codes.indices.shape == (48, 64)
    y = tokenizer.decode(codes).clamp(0, 1)
    assert float(-10 * torch.log10((x - y).square().mean())) > 30
    images = (y * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    right = [verdict(p.demand, detect(image)).correct for p, image in zip(prompts, images, strict=True)]
    assert np.mean(right) >= 0.95


def test_a_thing_that_moves_by_a_block_keeps_its_codes(tokenizer):
    x = photos(world_prompts(6, seed=4))
    codes = tokenizer.encode(x).indices.reshape(-1, 8, 8)
    moved = tokenizer.encode(torch.roll(x, 8, dims=3)).indices.reshape(-1, 8, 8)
    assert torch.equal(torch.roll(codes, 1, dims=2), moved)


def test_images_follow_held_out_captions(generator):
    prompts = world_prompts(48, seed=6)
    made = generator.generate([Request(p.id, p.caption, seed=i) for i, p in enumerate(prompts)])
    verdicts = [verdict(p.demand, detect(image.pixels)) for p, image in zip(prompts, made, strict=True)]
    assert sum(v.correct for v in verdicts) / 48 >= 0.7, summary(verdicts)


def test_the_cache_changes_nothing(generator):
    requests = asked(4, sampler=Sampler(Guidance("llamagen", 3.0), top_k=1))
    tokens = generator.sample_tokens(requests)
    cond = generator.logits(generator.encode_conditions(requests), tokens)
    free = generator.logits(torch.zeros(4, 18, dtype=torch.int64), tokens)
    assert are_best(tokens, free + 3 * (cond - free))


def test_codes_are_the_same_at_any_batch_size_and_order(generator):
    requests = asked(32)
    whole = dict(zip((r.id for r in requests), generator.sample_tokens(requests), strict=True))
    for part in (requests[5:6], requests[20:27][::-1], requests[31:]):
        for request, codes in zip(part, generator.sample_tokens(part), strict=True):
            assert torch.equal(codes, whole[request.id])


def test_decoding_leaves_the_number_of_threads_as_it_was(generator):
    before = torch.get_num_threads()
    generator.sample_tokens(asked(1))
    assert torch.get_num_threads() == before


def test_unknown_words_are_refused_before_anything_is_drawn(generator):
    with pytest.raises(EvalkitError, match="'zebra'"):
        generator.generate([Request("0", prompt="a photo of a zebra")])


def test_the_suite_is_known_by_name():
    suite = load_prompts("world")
    assert len(suite.prompts) == 500
    assert suite.prompts[0].meta["tag"] == "single_object"
