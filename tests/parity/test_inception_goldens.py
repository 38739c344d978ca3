"""The FID network and both ways to its 299 px against numbers of torch-fidelity and pytorch-fid, with weights by rule."""

import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from evalkit.encoders.features.inception import SCALES, FidInception, InceptionFid
from evalkit.encoders.resize import resized

SEED = 1
GOLDEN = dict(np.load(Path(__file__).parent / "data" / "inception_goldens.npz"))
SIZES = {2: (300, 200), 4: (32, 32)}


def fill(name, shape):
    x = np.random.Generator(np.random.PCG64([zlib.crc32(name.encode()), SEED])).standard_normal(shape, dtype=np.float32)
    if len(shape) >= 2:
        x = x / np.float32(math.sqrt(math.prod(shape[1:])))
        return x * np.float32(math.sqrt(2)) if len(shape) == 4 else x
    if name.endswith(("weight", "gamma")):
        return np.float32(1) + np.float32(0.1) * x
    return np.float32(name.endswith("running_var")) + np.float32(0.05) * x


def image(j):
    height, width = SIZES[j]
    rng = np.random.default_rng([20251123, 10 * SEED + j, height, width])
    yy, xx = np.mgrid[0:height, 0:width].astype(np.float64)
    img = np.zeros((height, width, 3))
    for c in range(3):
        fx, fy, ph = rng.uniform(0.5, 3.0, 3)
        img[..., c] = 0.5 + 0.35 * np.sin(2 * np.pi * (fx * xx / width + fy * yy / height) + ph)
    for _ in range(6):
        cy, cx = rng.uniform(0, height), rng.uniform(0, width)
        r = rng.uniform(0.06, 0.22) * min(height, width)
        img[(yy - cy) ** 2 + (xx - cx) ** 2 < r * r] = rng.uniform(0, 1, 3)
    img += rng.normal(0, 0.03, img.shape)
    pixels = (np.clip(img, 0, 1) * 255 + 0.5).astype(np.uint8)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "pt_inception-2015-12-05-6726825d.pth"
    state = FidInception().state_dict()
    torch.save({k: torch.from_numpy(fill(k, tuple(v.shape))) for k, v in state.items() if "num_batches" not in k}, path)
    return InceptionFid(path, torch.device("cpu"))


def near(found, wanted):
    wanted = wanted.reshape(-1)
    return float(np.abs(found.numpy().reshape(-1) - wanted).max()) <= 1e-5 * float(np.abs(wanted).max())


@pytest.mark.parametrize("j", SIZES)
def test_the_network_behind_tf1s_resize_is_torch_fidelitys(network, j):
    found = network.outputs(image(j), ("2048", "logits_unbiased", "sfid"))
    assert near(found["2048"], GOLDEN[f"img{j}/2048"])
    assert near(found["logits_unbiased"], GOLDEN[f"img{j}/logits_unbiased"])
    assert near(found["sfid"], GOLDEN[f"img{j}/sfid2023"])
    small = resized(image(j), 299, "tf1-bilinear")[0, :, ::23, ::23].numpy()
    assert np.abs(small - GOLDEN[f"img{j}/resize_sub"]).max() < 1e-4


@pytest.mark.parametrize("j", SIZES)
def test_torchs_resize_and_its_own_scale_make_it_pytorch_fids(network, j):
    wanted = GOLDEN[f"img{j}/pytorch_fid_2048"]
    assert near(network.features(image(j), resize="bilinear", scale=SCALES[1]), wanted)
    assert not near(network.features(image(j), resize="bilinear"), wanted)
    assert not near(network.features(image(j), scale=SCALES[1]), wanted)
