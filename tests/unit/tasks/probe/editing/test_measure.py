"""Measures of edits: the background is compared, the edited region is not, and absent networks measure nothing."""

import io

import numpy as np
import pytest
from PIL import Image

from evalkit.tasks.probe.editing.measure import EditMeasures, load_measures


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


class Cosine:
    """Gives -3 for every image, and keeps it."""

    weights_sha256 = "ab"

    def score(self, images, prompts):
        self.seen = images, prompts
        return np.array([-3.0])


@pytest.fixture
def edit():
    rng = np.random.default_rng(0)
    source = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    mask = np.zeros((256, 256, 3), np.uint8)
    mask[64:128, 32:96] = 255
    edited = source.copy()
    edited[64:128, 32:96] = 7
    return png(source), png(mask), edited


def test_what_changes_within_the_mask_alone_costs_nothing(edit):
    assert EditMeasures().of(*edit, "a dog") == {"mse": 0, "ssim": pytest.approx(1)}
    source, mask, edited = edit
    edited[0, 0] = 255 - edited[0, 0]
    assert EditMeasures().of(source, mask, edited, "a dog")["mse"] > 0


def test_clip_sees_the_edited_box_and_counts_from_zero(edit):
    clip = Cosine()
    assert EditMeasures(clip=clip).of(*edit, "a dog")["clip"] == 0
    images, prompts = clip.seen
    assert (tuple(images.shape), prompts) == ((1, 3, 64, 64), ["a dog"])
    assert (images == 7).all()


def test_networks_without_weights_are_left_out(monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.editing.measure.load_lpips", _absent)
    monkeypatch.setattr("evalkit.tasks.probe.editing.measure.load_prompt_scorer", _absent)
    assert load_measures("cpu").facts == {"side": 256}


def _absent(*arguments):
    from evalkit.errors import WeightsError

    raise WeightsError("not here")
