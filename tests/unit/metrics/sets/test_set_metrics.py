"""Laws that every set metric keeps: batches, workers and the order of images change nothing."""

import math

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.metrics.frechet import frechet_distance_of_features
from evalkit.metrics.rows import moments_of
from evalkit.metrics.rules import BallRule, SplitRule, SubsetRule
from evalkit.metrics.sets import (
    Authenticity,
    ClipDiscrepancy,
    FrechetDistance,
    FrechetInfinity,
    InceptionScore,
    KernelDistance,
    Manifold,
    VendiScore,
)

RNG = np.random.default_rng(0)
X, Y = (RNG.normal(size=(n, 6)).astype(np.float32) + s for n, s in ((170, 0.3), (160, 0.0)))
METRICS = {
    "frechet": FrechetDistance,
    "infinity": FrechetInfinity,
    "kid": lambda: KernelDistance(rule=SubsetRule(10, 50)),
    "cmmd": ClipDiscrepancy,
    "is": lambda: InceptionScore(rule=SplitRule(chunk=50, shuffle=None)),
    "precision": lambda: Manifold("precision"),
    "density": lambda: Manifold("density", rule=BallRule(5, False)),
    "vendi": VendiScore,
    "authenticity": Authenticity,
}


@pytest.fixture(params=METRICS)
def make(request):
    return METRICS[request.param]


def fed(metric, batches, reference_batches):
    for part in batches:
        metric.update(X[part], numbers=np.asarray(part))
    for part in reference_batches:
        metric.update(Y[part], reference=True, numbers=np.asarray(part))
    return metric


def equal(a, b):
    return (a.value, a.low, a.high, a.n, a.method) == (b.value, b.low, b.high, b.n, b.method)


def test_batches_and_their_order_never_change_the_estimate(make):
    whole = fed(make(), [np.arange(170)], [np.arange(160)]).compute()
    assert math.isfinite(whole.value)
    mixed = np.random.default_rng(2)
    cut = fed(make(), np.array_split(mixed.permutation(170), 13), np.array_split(mixed.permutation(160), 7)).compute()
    assert equal(whole, cut)


def test_workers_that_merge_give_the_estimate_of_one(make):
    whole = fed(make(), [np.arange(170)], [np.arange(160)]).compute()
    parts = [fed(make(), [np.arange(i, 170, 3)], [np.arange(i, 160, 3)]) for i in (2, 0, 1)]
    for other in parts[1:]:
        parts[0].merge(other)
    assert equal(whole, parts[0].compute())


def test_nothing_is_left_after_a_reset(make):
    metric = fed(make(), [np.arange(170)], [np.arange(160)])
    metric.reset()
    assert len(metric.images) == len(metric.reference) == 0
    assert equal(
        fed(metric, [np.arange(170)], [np.arange(160)]).compute(), fed(make(), [range(170)], [range(160)]).compute()
    )


def test_features_that_are_not_finite_are_refused_at_once(make):
    with pytest.raises(EvalkitError, match="not finite"):
        make().update(np.full((2, 6), np.nan))


class Means:
    """An extractor of four numbers: channel means and one corner."""

    def features(self, images):
        return torch.cat([images.float().mean((2, 3)), images[:, :1, 0, 0].float()], 1)


def test_images_go_through_the_extractor():
    images = torch.randint(0, 256, (40, 3, 9, 9), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    metric = FrechetDistance(extractor=Means())
    metric.update(images[:25], reference=True)
    metric.update(images[25:30])
    metric.update(images[30:])
    features = Means().features(images).numpy()
    assert metric.compute().value == pytest.approx(frechet_distance_of_features(features[25:], features[:25]), rel=1e-9)
    with pytest.raises(EvalkitError, match="no extractor"):
        FrechetDistance().update(images)


def test_half_precision_tensors_are_taken():
    metric = VendiScore()
    metric.update(torch.from_numpy(X).bfloat16())
    assert metric.compute().value > 1


def test_a_known_reference_is_taken_as_given():
    known = FrechetDistance(known=moments_of(Y))
    known.update(X)
    both = fed(FrechetDistance(), [range(170)], [range(160)])
    assert known.compute().value == pytest.approx(both.compute().value, rel=1e-12)
    assert known.compute().high < both.compute().high
    assert "reference as given" in known.compute().method
    assert known.contributions().shape == (170,)
    known.update(Y, reference=True)
    with pytest.raises(EvalkitError, match="as statistics and as images"):
        known.compute()


def test_a_missing_reference_is_one_sentence():
    metric = FrechetDistance()
    metric.update(X)
    with pytest.raises(EvalkitError, match="The reference has 0 of the 2 images"):
        metric.compute()
