import math

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.frechet import frechet_distance_of_features
from evalkit.metrics.per_class import frechet_per_class, intra_class_diversity


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    labels = np.array([f"c{i % 3}" for i in range(150)])
    return rng.normal(size=(150, 20)), labels, rng.normal(size=(150, 20)) * 1.2, np.roll(labels, 1)


def test_each_class_is_compared_with_its_own_reference(labelled):
    x, a, y, b = labelled
    found = frechet_per_class(x, a, y, b)
    assert list(found.values) == ["c0", "c1", "c2"]
    for name, value in found.values.items():
        assert value == pytest.approx(frechet_distance_of_features(x[a == name], y[b == name]), rel=1e-9)
    assert found.mean.value == pytest.approx(np.mean(list(found.values.values())))
    assert found.mean.low < found.mean.value < found.mean.high
    assert found.counts == {"c0": 50, "c1": 50, "c2": 50}


def test_classes_of_many_images_go_by_moments_and_agree(labelled):
    x, a, y, b = labelled
    few = frechet_per_class(np.pad(x, ((0, 0), (0, 80))), a, np.pad(y, ((0, 0), (0, 80))), b)
    assert few.mean.value == pytest.approx(frechet_per_class(x, a, y, b).mean.value, rel=1e-6)


def test_classes_with_one_image_are_left_out_and_counted(labelled):
    x, a, y, b = labelled
    a[0], b[0] = "alone", "elsewhere"
    found = frechet_per_class(x, a, y, b)
    assert "2 classes have too few images" in found.mean.method
    none = frechet_per_class(x, np.arange(150), y, b)
    assert math.isnan(none.mean.value)


def test_diversity_is_the_mean_distance_of_two_images(labelled):
    x, a, _, _ = labelled
    own = x[a == "c1"]
    wanted = np.mean([np.linalg.norm(p - q) for i, p in enumerate(own) for q in own[:i]])
    assert intra_class_diversity(x, a).values["c1"] == pytest.approx(wanted, rel=1e-9)
    from evalkit.metrics import rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows.row_blocks, "__defaults__", (7,))
        assert intra_class_diversity(x, a).values["c1"] == pytest.approx(wanted, rel=1e-9)


def test_a_class_of_copies_has_no_diversity(labelled):
    x, a, _, _ = labelled
    x[a == "c2"] = 3.0
    assert intra_class_diversity(x, a).values["c2"] == 0


def test_labels_of_another_number_are_one_sentence(labelled):
    with pytest.raises(EvalkitError, match="150 images need one class each"):
        intra_class_diversity(labelled[0], [1, 2])
