import math

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.frechet_interval import frechet_estimate
from evalkit.metrics.fvd import FVD
from evalkit.metrics.prdc import prdc
from evalkit.metrics.rows import moments_of
from evalkit.metrics.rules import BallRule
from evalkit.metrics.sets import composition
from evalkit.metrics.sets.composition import HEADS, Side, heads_of, score_sets
from evalkit.metrics.statistics_file import read_statistics, save_statistics
from evalkit.protocols.score import load_score_protocol, score_protocol_ids

OURS = load_score_protocol("evalkit-1")
RNG = np.random.default_rng(0)


def side(n=160, shift=0.0, labels=True):
    rows = {head: RNG.normal(size=(n, 8)) + shift for head in set(HEADS.values())}
    return Side(rows, np.arange(n) % 3 if labels else None)


def test_every_metric_has_a_value_under_evalkits_protocol():
    of_images = [name for name in HEADS if name != FVD.name]
    found = score_sets(of_images, side(shift=0.3), side(), OURS)
    assert list(found) == of_images
    assert not [name for name, each in found.items() if not math.isfinite(each.value)]
    assert set(OURS.metrics) == set(of_images)


def test_values_are_those_of_the_metrics_alone():
    images, reference = side(shift=0.3), side()
    found = score_sets(["fid", "recall", "coverage"], images, reference, OURS)
    x, y = images.rows["2048"], reference.rows["2048"]
    assert found["fid"].value == frechet_estimate(x, moments_of(y)).value
    assert found["recall"].value == prdc(x, y, BallRule())["recall"].value
    assert found["coverage"].value == prdc(x, y, BallRule(5, False))["coverage"].value


def test_balls_are_made_once_for_the_metrics_that_share_them(monkeypatch):
    calls = []
    monkeypatch.setattr(composition, "prdc", lambda *given: calls.append(given[2]) or prdc(*given))
    score_sets(["precision", "recall", "density", "coverage"], side(), side(), OURS)
    assert calls == [BallRule(3, True), BallRule(5, False)]


def test_statistics_serve_distances_and_nothing_else(tmp_path):
    reference = side()
    moments = moments_of(reference.rows["2048"])
    save_statistics(tmp_path / "ref.npz", moments, n=160)
    stored = Side(file=read_statistics(tmp_path / "ref.npz"))
    images = side(shift=0.3)
    found = score_sets(["fid", "fid_infinity", "sfid", "kid", "precision", "is"], images, stored, OURS)
    assert found["fid"].value == pytest.approx(frechet_estimate(images.rows["2048"], moments).value, rel=1e-9)
    assert "reference as given" in found["fid"].method
    assert math.isnan(found["sfid"].value)
    assert found["sfid"].method.endswith("ref.npz holds statistics of 8 pool features")
    assert found["kid"].method == "a comparison with images is needed; ref.npz holds statistics of 8 pool features"
    assert math.isnan(found["precision"].value)
    assert found["is"].value > 1
    narrow = Side({"2048": images.rows["2048"][:, :5]})
    assert "needs statistics of 5 features" in score_sets(["fid"], narrow, stored, OURS)["fid"].method


def test_statistics_that_evalkit_made_under_another_protocol_are_refused(tmp_path):
    save_statistics(tmp_path / "ref.npz", moments_of(side().rows["2048"]), n=160, made_with={"protocol": "clean"})
    stored = Side(file=read_statistics(tmp_path / "ref.npz"))
    with pytest.raises(EvalkitError, match="made with protocol clean, not evalkit-1"):
        score_sets(["fid"], side(), stored, OURS)
    assert score_sets(["fid"], side(), stored, load_score_protocol("clean"))["fid"].value >= 0


@pytest.mark.parametrize(
    ("metric", "images", "reference", "reason"),
    [
        ("fid", Side(), side(), "the images have no features of 2048"),
        ("fid", side(), Side(), "a Fréchet distance needs at least 2 images of the reference; 0 given"),
        ("fid", side(1), side(), "at least 2 images"),
        ("kid", side(), Side(), "the reference has none"),
        ("recall", side(3), side(), "k = 3 needs more images in both sets; 3, 160 given"),
        ("intra_class_diversity", side(labels=False), side(), "classes of the images are not known"),
        ("fid_per_class", side(), side(labels=False), "classes of both sets"),
    ],
)
def test_what_is_missing_is_named_instead_of_a_value(metric, images, reference, reason):
    found = score_sets([metric], images, reference, OURS)[metric]
    assert math.isnan(found.value)
    assert found.low is None
    assert reason in found.method


def test_a_protocol_refuses_metrics_that_its_source_does_not_define():
    with pytest.raises(
        EvalkitError, match=r"The protocol adm does not define kid. Use the protocol evalkit-1 or clean"
    ):
        score_sets(["kid"], side(), side(), load_score_protocol("adm"))
    with pytest.raises(EvalkitError, match="no set metric called 'fidd'"):
        heads_of(["fidd"])


def test_every_protocol_names_known_metrics():
    for name in score_protocol_ids():
        assert set(load_score_protocol(name).metrics) <= set(HEADS)
