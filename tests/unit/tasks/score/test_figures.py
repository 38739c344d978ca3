"""What the page draws: classes, spectra and the map of both sets come from kept features, and say the same as the metrics."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

import evalkit
from evalkit.jobs.options import RunOptions
from evalkit.metrics.rows import gaussian_of, moments_of
from evalkit.metrics.sets.composition import Side
from evalkit.metrics.statistics_file import StoredGaussian
from evalkit.tasks.score.exhibits import coordinates, entries_of, spread
from evalkit.tasks.score.figures import FIGURES, first_distance, places, projection
from evalkit.tasks.score.map import Pin, score_map
from evalkit.tasks.score.rows import CONTRIBUTION

RNG = np.random.default_rng(0)


def parted(folder):
    """The images of a flat folder in two folders, which are their classes."""
    for i, path in enumerate(sorted(folder.glob("*.png"))):
        (folder / "ab"[i % 2]).mkdir(exist_ok=True)
        path.rename(folder / "ab"[i % 2] / path.name)
    return folder


@pytest.fixture
def run(sets, tmp_path, colours):
    made, real = map(parted, sets)
    options = RunOptions(out=tmp_path / "run", device="cpu", weights=colours)
    return evalkit.score(made, real, metrics=["fid", "fid_per_class", "intra_class_diversity"], options=options)


def test_the_table_of_classes_says_what_the_metrics_say(run):
    classes = json.loads((run.path / FIGURES).read_bytes())["classes"]
    values = {row["metric"]: row["value"] for row in run.results}
    assert [(each["class"], each["n"], each["reference_n"]) for each in classes] == [("a", 7, 6), ("b", 7, 6)]
    assert np.mean([each["distance"] for each in classes]) == pytest.approx(values["fid_per_class"], rel=1e-9)
    assert np.mean([each["diversity"] for each in classes]) == pytest.approx(values["intra_class_diversity"], rel=1e-9)
    assert all(each["reference_diversity"] > 0 for each in classes)


def test_spectra_of_both_sets_have_intervals(run):
    spectra = json.loads((run.path / FIGURES).read_bytes())["spectra"]
    assert {side: each["n"] for side, each in spectra.items()} == {"images": 14, "reference": 12}
    for each in spectra.values():
        low, mean, high = (np.array(each[part]) for part in ("low", "mean", "high"))
        assert (low <= mean).all()
        assert (mean <= high).all()
        assert (low < high).any()


def test_the_map_is_that_of_the_kept_projection(run):
    with np.load(run.path / "statistics/projection.npz") as axes, np.load(run.path / "statistics/images-2048.npz") as x:
        wanted = places(x["features"], axes["mean"], axes["axes"])
    mine = run.samples.filter(np.array(run.samples["side"].to_pylist()) == "images")
    assert coordinates(mine) == pytest.approx(wanted, rel=1e-9)


def test_the_page_has_them_and_links_the_map_to_shown_images(run):
    text = (run.path / "report.html").read_text()
    assert "data-sort-rows" in text
    assert text.count('class="reach') == 2 * 48
    targets = [part.partition('"')[0] for part in text.split('<a href="#')[1:] if part[:3] in ("far", "nea", "map")]
    assert len(targets) >= 20
    assert all(f'id="{each}"' in text for each in targets)


@pytest.mark.parametrize("n", [5, 40])
def test_the_projection_is_the_same_from_samples_moments_and_files(n):
    x = RNG.normal(size=(n, 8)) * np.arange(8, 0, -1)
    mean, axes = projection(gaussian_of(x))
    moments = moments_of(x)
    for other in (moments, StoredGaussian(moments.mean, moments.covariance())):
        again = projection(other)
        assert again[0] == pytest.approx(mean, rel=1e-9)
        assert again[1] == pytest.approx(axes, rel=1e-6, abs=1e-9)
    assert axes @ axes.T == pytest.approx(np.eye(2), abs=1e-9)
    spreads = places(x, mean, axes).var(0, ddof=1)
    assert spreads == pytest.approx(np.linalg.eigvalsh(moments.covariance())[:-3:-1], rel=1e-9)


def test_one_dimension_has_no_map_and_no_distance_has_no_figures():
    assert projection(gaussian_of(RNG.normal(size=(9, 1)))) is None
    assert first_distance(["is", "fid"], Side(), Side()) is None
    assert score_map({"images": np.full((4, 2), np.nan)}, []) == ""


def test_shown_images_of_the_map_lie_far_from_each_other():
    points = np.concatenate([RNG.normal(size=(500, 2)) * 0.01, [[9, 9], [-9, 9], [9, -9], [-9, -9]], [[np.nan, 0]]])
    assert set(spread(points, 4)) == {500, 501, 502, 503}
    assert len(spread(points, 10)) == 10
    assert len(spread(points[-1:], 4)) == 0


def test_hostile_names_stay_text_on_the_map():
    points = RNG.normal(size=(5, 2))
    figure = score_map({"images": points}, [Pin(0.0, 0.0, "images", "<script>", "far-00")])
    assert "<script>" not in figure
    assert 'href="#far-00"' in figure


def test_no_image_is_said_to_hold_the_set_near_while_it_carries_the_distance():
    values = [0.1, -0.6, 0.2, 0.3, math.nan, 0.0]
    samples = pa.table({"id": list("abcdef"), "side": ["images"] * 6, CONTRIBUTION: values})
    shown = [(each["which"], each["id"]) for each in entries_of(samples, 4)]
    assert shown == [("farthest", "d"), ("farthest", "c"), ("farthest", "a"), ("nearest", "b")]
