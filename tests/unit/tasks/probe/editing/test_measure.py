"""Measures of edits: the background is compared, the edited region is not, and absent networks measure nothing."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from evalkit.encoders.perceptual.lpips import TRUNKS, Lpips
from evalkit.tasks.probe.editing.measure import EditMeasures, load_measures


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


class Cosine:
    """Gives -3 for every image, and keeps it."""

    weights_sha256 = "ab"

    def __init__(self):
        self.shapes = []

    def score(self, images, prompts):
        self.seen = images, prompts
        self.shapes.append(tuple(images.shape))
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
    same = pytest.approx(1)
    assert EditMeasures().of(*edit, "a dog") == {"mse": 0, "ssim": same, "hard_mse": 0, "hard_ssim": same}
    source, mask, edited = edit
    edited[0, 0] = 255 - edited[0, 0]
    found = EditMeasures().of(source, mask, edited, "a dog")
    assert found["mse"] == pytest.approx(found["hard_mse"])
    assert found["mse"] > 0


def test_clip_sees_the_edited_box_and_counts_from_zero(edit):
    clip = Cosine()
    assert EditMeasures(clip=clip).of(*edit, "a dog")["clip"] == 0
    assert clip.shapes == [(1, 3, 63, 63), (1, 3, 64, 64)]  # the official box lacks its last row and column
    images, prompts = clip.seen
    assert prompts == ["a dog"]
    assert (images == 7).all()


def test_a_soft_mask_weights_the_background_as_the_official_script_does():
    torchmetrics = pytest.importorskip("torchmetrics.functional.image")
    rng = np.random.default_rng(3)
    source, edited = (rng.integers(0, 256, (256, 256, 3), dtype=np.uint8) for _ in range(2))
    mask = np.zeros((256, 256), np.uint8)
    mask[64:128, 32:96] = 255
    mask = np.asarray(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(4)))
    found = EditMeasures(clip=(clip := Cosine())).of(png(source), png(mask), edited, "")
    weights = (1 - mask.astype(np.int64) / 255).astype(np.float32)[..., None]
    x, y = (torch.from_numpy(np.float32(each) / 255 * weights).permute(2, 0, 1)[None] for each in (source, edited))
    assert found["mse"] == pytest.approx(float(((x - y) ** 2).mean()), rel=1e-6)
    official = torchmetrics.structural_similarity_index_measure(x, y, data_range=1.0)
    assert found["ssim"] == pytest.approx(float(official), rel=1e-4)
    assert found["mse"] != pytest.approx(found["hard_mse"], rel=1e-3)
    rows = np.flatnonzero(mask.any(1))
    assert clip.shapes[0][2] == rows[-1] - rows[0]
    assert clip.shapes[1][2] == 64


def test_an_empty_mask_leaves_clip_out(edit):
    source, _, edited = edit
    found = EditMeasures(clip=Cosine()).of(source, png(np.zeros((256, 256), np.uint8)), edited, "")
    assert set(found) == {"mse", "ssim", "hard_mse", "hard_ssim"}


def test_lpips_sees_the_background_alone(edit, tmp_path):
    torch.manual_seed(0)
    layers, _ = TRUNKS["squeeze"]()
    trunk = torch.nn.Sequential(*layers)
    state = {f"features.{key}": 0.2 * torch.randn(value.shape) for key, value in trunk.state_dict().items()}
    torch.save(state, tmp_path / "squeezenet1_1-b8a52dc0.pth")
    network = Lpips("squeeze", tmp_path / "squeezenet1_1-b8a52dc0.pth", torch.device("cpu"))
    source, mask, edited = edit
    edited[200:] = 255 - edited[200:]
    found = EditMeasures(lpips=network).of(source, mask, edited, "")
    before = np.asarray(Image.open(io.BytesIO(source)))
    pair = (torch.from_numpy(each.transpose(2, 0, 1)[None].copy()) / 255 for each in (before, edited))
    x, y = (each * (torch.from_numpy(np.array(Image.open(io.BytesIO(mask)))[..., 0]) == 0) for each in pair)
    assert found["lpips"] == pytest.approx(float(network.distance(x, y)), rel=1e-5)
    assert found["hard_lpips"] == pytest.approx(found["lpips"], rel=1e-5)
    assert found["lpips"] > 0


def test_networks_without_weights_are_left_out(monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.editing.measure.load_lpips", _absent)
    monkeypatch.setattr("evalkit.tasks.probe.editing.measure.load_prompt_scorer", _absent)
    assert load_measures("cpu").facts == {"side": 256}


def _absent(*arguments):
    from evalkit.errors import WeightsError

    raise WeightsError("not here")
