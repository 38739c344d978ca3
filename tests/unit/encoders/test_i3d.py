"""I3D: numbers of VideoGPT's own network with weights that follow from names, both public layouts, and consent."""

import numpy as np
import pytest
import torch
from helpers.filled import filled, stream

from evalkit.encoders.features import i3d
from evalkit.encoders.features.i3d import I3dFeatures, I3dNet, Unit, renamed, same_pad
from evalkit.errors import EvalkitError, WeightsError
from evalkit.weights.programs import CONSENT
from evalkit.weights.reading import file_sha256

# videogpt/fvd/pytorch_i3d.py of wilson1yan/VideoGPT 733d2b1 in float64, on the same weights and clip
FIRST = [
    0.7216291763,
    0.5122535399,
    -0.240628664,
    1.9273370084,
    1.2211559217,
    0.7664232607,
    -0.1582686115,
    -1.4183695802,
]
MEAN, SPREAD, WEIGHED = -0.0652054612, 1.2009717461, -6928.7992264


def value(name, shape):
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    found = filled(name, tuple(shape)) * (2**0.5 if len(shape) == 5 else 1)
    return found + 1 if name.endswith("running_var") else found


def state():
    with torch.device("meta"):
        shapes = I3dNet(1e-5).state_dict()
    return {name: value(name, each.shape) for name, each in shapes.items()}


def test_logits_are_those_of_videogpts_own_network():
    net = I3dNet(1e-5).eval()
    net.load_state_dict(state())
    noise = stream("clip").integers(0, 64, (1, 9, 3, 193, 193), dtype=np.uint8)
    frames = torch.from_numpy(noise) + 20 * torch.arange(9, dtype=torch.uint8).view(9, 1, 1, 1)
    with torch.inference_mode():
        found = net((frames.float() / 127.5 - 1).transpose(1, 2).contiguous())[0].double()
    assert found[:8].tolist() == pytest.approx(FIRST, abs=2e-5)
    assert float(found.mean()) == pytest.approx(MEAN, abs=1e-5)
    assert float(found.std()) == pytest.approx(SPREAD, rel=1e-5)
    assert float(found @ torch.arange(400).double()) == pytest.approx(WEIGHED, rel=1e-5)


@pytest.mark.parametrize(("size", "kernel", "stride"), [(9, 7, 2), (16, 7, 2), (5, 3, 2), (4, 2, 2), (7, 1, 1)])
def test_padding_leaves_one_value_for_each_stride_begun(size, kernel, stride):
    x = torch.zeros(1, 1, size, size, size)
    padded = same_pad(x, (kernel,) * 3, (stride,) * 3)
    assert (padded.shape[2] - kernel) // stride + 1 == -(-size // stride)
    assert Unit(1, 2, (kernel,) * 3, (stride,) * 3).eval()(x).shape[2] == -(-size // stride)


def test_the_other_public_layout_has_the_same_parameters_under_other_names():
    ours = [name for name in state() if not name.endswith("num_batches_tracked")]
    swaps = (
        (".bn.", ".batch3d."), (".b0.", ".branch_0."), (".b1a.", ".branch_1.0."), (".b1b.", ".branch_1.1."),
        (".b2a.", ".branch_2.0."), (".b2b.", ".branch_2.1."), (".b3b.", ".branch_3.1."), ("Mixed_", "mixed_"),
        ("Conv3d_", "conv3d_"), ("logits.", "conv3d_0c_1x1."),
    )  # fmt: skip
    theirs = {}
    for name in ours:
        other = name
        for mine, their in swaps:
            other = other.replace(mine, their)
        theirs[other] = torch.zeros(1)
    assert sorted(renamed(theirs)) == sorted(ours)
    assert renamed({"logits.conv3d.bias": torch.zeros(1)}).keys() == {"logits.conv3d.bias"}


class Small(torch.nn.Module):
    """Stands for the network where its numbers do not matter."""

    def __init__(self, eps=0.0):
        super().__init__()
        self.logits = torch.nn.Linear(1, 2, bias=False)

    def forward(self, x):
        return torch.cat([x.mean((1, 2, 3, 4))[:, None], x.amax((1, 2, 3, 4))[:, None]], 1)


def test_clips_reach_the_network_at_its_side_and_range(tmp_path, monkeypatch):
    monkeypatch.setattr(i3d, "I3dNet", Small)
    torch.save(Small().state_dict(), tmp_path / "i3d.pt")
    features = I3dFeatures(tmp_path / "i3d.pt", torch.device("cpu"), 1e-3)
    clips = torch.full((2, 9, 3, 8, 12), 255, dtype=torch.uint8)
    clips[1] = 0
    for way in ("bilinear", "bilinear-short"):
        assert features.features(clips, resize=way)[:, 0].tolist() == [1, -1]
    for bad in (clips[:, :8], clips[:, :, :2], clips.float(), clips[0]):
        with pytest.raises(EvalkitError, match="9 frames or more"):
            features.features(bad, resize="bilinear")


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_a_program_is_read_with_consent_only(tmp_path, monkeypatch):
    monkeypatch.setattr(i3d, "I3dNet", Small)
    path = tmp_path / "i3d_torchscript.pt"
    torch.jit.save(torch.jit.script(torch.nn.ModuleDict({"logits": torch.nn.Linear(1, 2, bias=False)})["logits"]), path)
    with pytest.raises(WeightsError, match=CONSENT):
        I3dFeatures(path, torch.device("cpu"), 1e-3)
    monkeypatch.setenv(CONSENT, file_sha256(path))
    with pytest.raises(WeightsError, match=r"logits\.weight"):  # read now, and not the network's
        I3dFeatures(path, torch.device("cpu"), 1e-3)
