import math

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.memorisation import authenticity, memorisation


def sets(n=60, m=200, d=5):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d))


def test_images_are_judged_by_the_distances_of_all_pairs():
    images, training = sets()
    cross = np.linalg.norm(images[:, None] - training[None], axis=-1)
    own = np.linalg.norm(training[:, None] - training[None], axis=-1) + np.diag(np.full(len(training), np.inf))
    found = memorisation(images, training)
    near = cross.argmin(1)
    assert np.array_equal(found.nearest, near)
    assert found.margin == pytest.approx(own.min(1)[near])
    assert np.array_equal(found.authentic, own.min(1)[near] < cross.min(1))
    assert authenticity(images, training).value == found.authentic.mean()


def test_copies_are_not_authentic_and_stand_out():
    images, training = sets()
    images[:7] = training[20:27]
    found = memorisation(images, training)
    assert not found.authentic[:7].any()
    assert np.isinf(found.suspicion[:7]).all()
    assert np.isfinite(found.suspicion[7:]).all()
    assert found.nearest[:7].tolist() == list(range(20, 27))


def test_fresh_images_are_authentic_about_half_the_time_with_an_interval():
    images, training = sets(500, 500)
    share = authenticity(images, training)
    assert share.low < 0.5 < share.high + 0.1
    assert "500 training images" in share.method
    assert math.isclose(share.n, 500)


def test_one_training_image_has_no_other():
    with pytest.raises(EvalkitError, match="nearest of 0 images"):
        memorisation(np.zeros((2, 3)), np.zeros((1, 3)))
