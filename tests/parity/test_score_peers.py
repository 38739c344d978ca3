"""Set metrics against torch-fidelity's and torchmetrics' own code, where they are installed, on inputs of many seeds."""

import numpy as np
import pytest
import torch

from evalkit.metrics.inception_score import split_scores
from evalkit.metrics.kid import subset_values
from evalkit.metrics.rules import BallRule, SubsetRule
from evalkit.metrics.sets import FrechetDistance, InceptionScore, KernelDistance, Manifold
from evalkit.protocols.score import load_score_protocol

fidelity = pytest.importorskip("torch_fidelity")
RULES = load_score_protocol("torch-fidelity")
SEEDS = pytest.mark.parametrize("seed", range(4))


def sets(seed, n=220, m=180, d=20):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.uniform(0.6, 1.4) + rng.uniform(0, 0.5)
    return x.astype(np.float32), rng.normal(size=(m, d)).astype(np.float32)


def fed(metric, x, y):
    for part in np.array_split(np.arange(len(x)), 7):
        metric.update(x[part])
    metric.update(y, reference=True)
    return metric.compute()


@SEEDS
def test_fid_is_torch_fidelitys_and_torchmetrics(seed):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torchmetrics.image.fid import FrechetInceptionDistance

    x, y = sets(seed)
    found = fed(FrechetDistance(), x, y).value
    one, two = (fid_features_to_statistics(torch.from_numpy(each)) for each in (x, y))
    peer = fid_statistics_to_metric(one, two, verbose=False)["frechet_inception_distance"]
    assert found == pytest.approx(peer, rel=1e-6)

    class Flat(torch.nn.Module):
        num_features = x.shape[1]

        def forward(self, images):
            return images.flatten(1)

    other = FrechetInceptionDistance(feature=Flat(), input_img_size=(1, 1, x.shape[1]), normalize=False)
    other.update(torch.from_numpy(x)[:, None, None], real=False)
    other.update(torch.from_numpy(y)[:, None, None], real=True)
    assert found == pytest.approx(float(other.compute()), rel=1e-4)


@SEEDS
def test_kid_is_torch_fidelitys(seed):
    from torch_fidelity.metric_kid import kid_features_to_metric

    x, y = sets(seed)
    options = {"kid_subsets": 10, "kid_subset_size": 90, "verbose": False}
    peer = kid_features_to_metric(*(torch.from_numpy(each).double() for each in (x, y)), **options)
    rule = SubsetRule(10, 90, RULES.subsets.fit, RULES.subsets.drawn, RULES.subsets.seed)
    assert fed(KernelDistance(rule=rule), x, y).value == pytest.approx(peer["kernel_inception_distance_mean"], rel=1e-9)
    assert subset_values(x, y, rule).std() == pytest.approx(peer["kernel_inception_distance_std"], rel=1e-6)


@SEEDS
def test_inception_score_is_torch_fidelitys(seed):
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = sets(seed, n=233, d=50)[0] * 3
    peer = isc_features_to_metric(torch.from_numpy(logits))
    metric = InceptionScore(rule=RULES.splits)
    metric.update(torch.from_numpy(logits))
    assert metric.compute().value == pytest.approx(peer["inception_score_mean"], rel=1e-9)
    assert split_scores(logits, RULES.splits).std() == pytest.approx(peer["inception_score_std"], rel=1e-6)


@SEEDS
def test_precision_and_recall_are_torch_fidelitys(seed):
    from torch_fidelity.metric_prc import prc_features_to_metric

    x, y = sets(seed, d=6)
    peer = prc_features_to_metric(torch.from_numpy(x).double(), torch.from_numpy(y).double(), verbose=False)
    assert RULES.balls == BallRule(3, True)
    for quantity in ("precision", "recall"):
        assert fed(Manifold(quantity, rule=RULES.balls), x, y).value == pytest.approx(peer[quantity], abs=1e-6)
