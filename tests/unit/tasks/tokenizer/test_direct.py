"""A codec's own way gives what its tensors give, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from evalkit.jobs.timers import Timers
from evalkit.protocols import load_protocol
from evalkit.tasks.tokenizer.direct import Direct
from evalkit.tasks.tokenizer.forward import Forward
from evalkit.tasks.tokenizer.output import scored_output
from evalkit.tasks.tokenizer.pixels import feed_of, scored_levels, scored_reconstructions
from evalkit.tasks.tokenizer.worker import direct_of
from evalkit.tokenizers.registry import load_tokenizer

LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)


def soft(height, width):
    cells = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC))


def both(model, images, feed):
    forward = Forward(model, frozenset(), batch_size=8, seed=0, timers=Timers())
    return zip(Direct(model)(images, feed), forward(images, feed), strict=True)


@pytest.mark.parametrize("name", ["jpeg-lm", "jpeg-q75", "webp-q50"])
@pytest.mark.parametrize("whole", [False, True])
def test_outputs_of_a_codec_are_those_of_its_tensors(name, whole):
    model = load_tokenizer(name)
    feed = feed_of(load_protocol("evalkit-1"), model, whole=whole)
    images = [soft(70, 53), soft(33, 90), soft(20, 90)] if whole else [soft(256, 256), soft(256, 256)[::-1].copy()]
    for mine, theirs in both(model, images, feed):
        assert (mine.codes, mine.bits, mine.reason) == (theirs.codes, theirs.bits, theirs.reason)
        if theirs.image is not None:
            assert np.array_equal(mine.indices, theirs.indices)
            assert np.array_equal(scored_output(mine, feed), scored_output(theirs, feed))


@pytest.mark.parametrize("rule", ["round", "model range, truncated", "truncate 127.5x+128"])
def test_every_grey_level_becomes_what_it_becomes_as_a_float(rule):
    plain = load_protocol("evalkit-1")
    protocol = replace(plain, pixels=replace(plain.pixels, reconstruction=rule))
    feed = feed_of(protocol, load_tokenizer("jpeg-q75"))
    floats = torch.from_numpy(LEVELS).permute(2, 0, 1)[None].float() / 255
    assert np.array_equal(scored_levels(LEVELS, feed), scored_reconstructions(floats, feed)[0])


def test_tasks_that_need_tensors_and_networks_take_the_other_way():
    model = load_tokenizer("jpeg-q75")
    assert direct_of(model, frozenset({"reconstruction", "codes"})) is not None
    assert direct_of(model, frozenset({"survival"})) is None
    assert direct_of(object(), frozenset()) is None
