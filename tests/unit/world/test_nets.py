import numpy as np
import pytest
import torch
from helpers.near import near, same

import evalkit
from evalkit.world.ar_net import WorldARConfig, WorldARNet
from evalkit.world.detector import detect
from evalkit.world.judge import verdict
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene
from evalkit.world.scene import Scene, Thing
from evalkit.world.vq_net import WorldVQConfig, WorldVQNet

TINY = WorldARConfig(width=32, layers=2, heads=2, codes=20, side=3)


@pytest.fixture(scope="module")
def tokenizer():
    return evalkit.load_tokenizer("world-vq", device="cpu")


def _stack(images):
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def test_world_vq_rebuilds_held_out_scenes_so_that_they_are_judged_right(tokenizer):
    prompts = world_prompts(60, seed=3)
    x = _stack([render_scene(p.scene) for p in prompts])
    y = tokenizer.decode(tokenizer.encode(x)).clamp(0, 1)
    errors = ((x - y) ** 2).mean((1, 2, 3))
    assert float((-10 * torch.log10(errors)).mean()) >= 30
    pixels = y.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    assert np.mean([verdict(p.demand, detect(image)).correct for p, image in zip(prompts, pixels, strict=True)]) >= 0.95


def test_a_thing_keeps_its_codes_wherever_it_stands_and_whatever_stands_beside_it(tokenizer):
    key = Thing("key", "red", 0, 0)
    alone = Scene("", "mint", (key,))
    moved = Scene("", "mint", (Thing("key", "red", 40, 16), Thing("dog", None, 16, 16)))
    a, b = tokenizer.encode(_stack([render_scene(alone), render_scene(moved)])).indices.view(2, 8, 8)
    assert torch.equal(a[:3, :3], b[2:5, 5:8])


def test_world_vq_takes_any_multiple_of_8_and_says_so_otherwise(tokenizer):
    codes = tokenizer.encode(torch.rand(1, 3, 48, 80))
    assert codes.grid == (6, 10)
    assert codes.indices.shape[1] == tokenizer.tokens_per_image(48, 80) == 60
    assert tokenizer.decode(codes).shape == (1, 3, 48, 80)
    with pytest.raises(evalkit.errors.EvalkitError, match="multiples of 8"):
        tokenizer.encode(torch.rand(1, 3, 60, 64))


def test_codes_are_the_nearest_of_the_codebook():
    net = WorldVQNet(WorldVQConfig(codes=32, encoder=(8, 8), widths=(8, 8, 8), blocks=(1, 1, 1)))
    z = net.encoder(torch.rand(2, 3, 16, 24) * 2 - 1)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(2, 2, 3))
    indices = net.indices(z)
    flat = z.permute(0, 2, 3, 1).reshape(-1, 8)
    assert torch.equal(indices.flatten(), torch.cdist(flat, net.codebook).argmin(1))
    assert net.decoder(net.lookup(indices, (2, 3))).shape == (2, 3, 16, 24)


def _tiny():
    torch.manual_seed(0)
    net = WorldARNet(TINY).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net, torch.randint(0, TINY.vocabulary, (2, TINY.text)), torch.randint(0, TINY.codes, (2, 9))


def test_decoding_with_the_cache_equals_teacher_forcing():
    net, text, tokens = _tiny()
    with torch.inference_mode():
        forced = net(text, tokens)
        logits, cache = net.begin(text)
        stepped = [logits] + [net.block(tokens[:, i - 1 : i], i - 1, cache)[:, 0] for i in range(1, 9)]
    same(torch.stack(stepped, 1), forced, 1e-4)


def test_no_code_sees_itself_or_those_after_it_and_every_word_is_seen():
    net, text, tokens = _tiny()
    with torch.inference_mode():
        before = net(text, tokens)
        changed = tokens.clone()
        changed[:, 4] = (changed[:, 4] + 1) % TINY.codes
        after = net(text, changed)
        same(before[:, :5], after[:, :5])
        assert all(not near(after[:, place], before[:, place], 1e-3) for place in range(5, 9))
        for word in range(TINY.text):
            other = text.clone()
            other[:, word] = (other[:, word] + 1) % TINY.vocabulary
            assert not near(net(other, tokens)[:, 0], before[:, 0], 1e-3)
