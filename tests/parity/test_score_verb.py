"""`evalkit score` against torch-fidelity's own program, end to end, on the same files and weights."""

import numpy as np
import pytest
import torch
from PIL import Image

import evalkit
from evalkit.encoders.features.inception import FidInception
from evalkit.jobs.options import RunOptions

fidelity = pytest.importorskip("torch_fidelity")


def folder(path, seed):
    path.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(10):
        grid = rng.normal(120, 50 + 10 * seed, (4, 4, 3)).repeat(16, 0).repeat(16, 1)
        Image.fromarray(grid.clip(0, 255).astype(np.uint8)).save(path / f"{i:02d}.png")
    return path


def test_fid_and_inception_score_are_torch_fidelitys_from_files_to_values(tmp_path):
    torch.manual_seed(0)
    weights = tmp_path / "pt_inception-2015-12-05-6726825d.pth"
    state = {name: value for name, value in FidInception().state_dict().items() if "num_batches" not in name}
    torch.save(state, weights)
    made, real = folder(tmp_path / "made", 0), folder(tmp_path / "real", 1)
    peer = fidelity.calculate_metrics(
        input1=str(made), input2=str(real), fid=True, isc=True, isc_splits=10, cuda=False, verbose=False,
        feature_extractor_weights_path=str(weights), cache=False, samples_find_deep=False,
    )  # fmt: skip
    options = RunOptions(out=tmp_path / "run", device="cpu", weights=(str(weights),))
    run = evalkit.score(made, real, metrics=["fid", "is"], protocol="torch-fidelity", options=options)
    found = {row["metric"]: row["value"] for row in run.results}
    assert found["fid"] == pytest.approx(peer["frechet_inception_distance"], rel=1e-3)
    assert found["is"] == pytest.approx(peer["inception_score_mean"], rel=1e-5)
