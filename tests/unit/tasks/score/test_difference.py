"""Two scored sets against one reference: paired where they answer the same prompts, from the features their runs kept."""

import io

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.leaderboard.boards import make_boards
from evalkit.leaderboard.collect import collect
from evalkit.leaderboard.compare import compare_runs
from evalkit.leaderboard.rank import order
from evalkit.metrics.frechet_interval import frechet_difference, frechet_estimate
from evalkit.metrics.kid import kid_difference
from evalkit.metrics.moments import features_to_statistics
from evalkit.protocols.score import load_score_protocol
from evalkit.runs.store import Result, RunStore, read_run
from evalkit.tasks.score.covariance import frechet_covariance, frechet_influence
from evalkit.tasks.score.difference import score_difference
from evalkit.tasks.score.rows import table

N, D = 120, 4
RNG = np.random.default_rng(0)
REFERENCE = RNG.normal(size=(N, D)).astype(np.float32)
FIRST = RNG.normal(0.3, 1, (N, D)).astype(np.float32)
SECOND = (FIRST + RNG.normal(0.05, 0.1, (N, D))).astype(np.float32)


def scored(folder, name, features, *, ids=None, kept="features", reference="r" * 64):
    """A sealed run of `evalkit score` of FID with these features."""
    ids = ids or [f"{i:03d}.png" for i in range(len(features))]
    rows = [{"id": id, "side": "images", "sha256": f"{name}{id}"} for id in ids]
    rows += [{"id": f"{i:03d}.png", "side": "reference", "sha256": f"r{i}"} for i in range(N)]
    estimate = frechet_estimate(features, features_to_statistics(REFERENCE), REFERENCE)
    fid = ("score", "ref", "fid", estimate.value, estimate.low, estimate.high, estimate.method, estimate.n, "", "lower")
    store = RunStore(folder)
    store.begin({"task": "score", "model": name})
    files = {}
    for side, array in (("images", features), ("reference", REFERENCE)):
        buffer = io.BytesIO()
        np.savez(buffer, features=array)
        files[f"statistics/{side}-2048.npz"] = buffer.getvalue()
    samples = table(rows)
    store.write([samples], [Result(*fid, "evalkit-1")], files, samples.schema)
    record = {"task": "score", "model": {"name": name}, "statistics": kept, "data": {"name": name, "digest": name}}
    record |= {"reference": {"name": "ref", "digest": reference}, "protocols": [{"id": "evalkit-1", "sha256": "e"}]}
    store.seal(record)
    store.settle()
    return read_run(folder)


def test_images_of_one_id_are_pairs_and_the_reference_counts_once(tmp_path):
    a, b = scored(tmp_path / "a", "a", FIRST), scored(tmp_path / "b", "b", SECOND)
    found = score_difference(b, a, "fid")
    gaussian = features_to_statistics(REFERENCE)
    wanted = frechet_difference(SECOND, FIRST, gaussian, REFERENCE, paired=True)
    assert found.estimate.value == pytest.approx(wanted.estimate.value, rel=1e-6)
    assert found.estimate.low == pytest.approx(wanted.estimate.low, rel=1e-6)
    assert found.p == pytest.approx(wanted.p, rel=1e-4)
    apart = frechet_difference(SECOND, FIRST, gaussian, REFERENCE)
    assert found.estimate.high - found.estimate.low < 0.5 * (apart.estimate.high - apart.estimate.low)


def test_the_order_of_files_decides_nothing_and_other_ids_are_not_paired(tmp_path):
    a, turned = scored(tmp_path / "a", "a", FIRST), np.random.default_rng(1).permutation(N)
    b = scored(tmp_path / "b", "b", SECOND[turned], ids=[f"{i:03d}.png" for i in turned])
    straight = scored(tmp_path / "c", "c", SECOND)
    assert score_difference(b, a, "fid").estimate.low == pytest.approx(
        score_difference(straight, a, "fid").estimate.low, rel=1e-6
    )
    other = scored(tmp_path / "d", "d", SECOND, ids=[f"x{i}" for i in range(N)])
    assert "paired" not in score_difference(other, a, "fid").estimate.method
    assert score_difference(other, a, "kid") is None


def test_kid_is_taken_by_the_same_subsets(tmp_path):
    a, b = scored(tmp_path / "a", "a", FIRST), scored(tmp_path / "b", "b", SECOND)
    wanted = kid_difference(SECOND, FIRST, REFERENCE, load_score_protocol("evalkit-1").subsets)
    assert score_difference(b, a, "kid").estimate.value == pytest.approx(wanted.value, rel=1e-6)


@pytest.mark.parametrize("metric", ["fid_infinity", "precision", "unheard_of", "cmmd"])
def test_what_features_do_not_give_is_left_to_the_intervals(tmp_path, metric):
    a, b = scored(tmp_path / "a", "a", FIRST), scored(tmp_path / "b", "b", SECOND)
    assert score_difference(a, b, metric) is None
    moments = scored(tmp_path / "m", "m", SECOND, kept="moments")
    assert score_difference(a, moments, "fid") is None


def test_a_comparison_of_generators_and_a_leaderboard_say_the_same(tmp_path):
    a, b = scored(tmp_path / "a", "a", FIRST), scored(tmp_path / "b", "b", SECOND)
    (pair,) = compare_runs([a.path, b.path]).pairs
    assert "shared reference, paired" in pair.gap.method
    assert pair.outcome == "worse"
    (board,) = make_boards(collect([a.path, b.path])).boards
    first, second = board.order.standings
    assert (first.figure.entrant, second.best) == (0, 2)
    assert board.order.pairing == "paired by image and by the reference, from kept features"
    assert (second.gap.value, second.gap.low) == pytest.approx((pair.gap.value, pair.gap.low), rel=1e-6)
    figures = [each.figure for each in board.order.standings]
    assert figures[0].high > figures[1].low  # their intervals overlap
    apart = order(figures).standings[1]
    assert apart.best == 1


def test_the_diagonal_of_a_covariance_is_that_of_the_interval(tmp_path):
    run = scored(tmp_path / "a", "a", FIRST)
    sigma = frechet_covariance([frechet_influence(run, "fid")])
    row = run.results[0]
    assert 1.959964 * sigma[0, 0] ** 0.5 == pytest.approx(row["high"] - row["value"], rel=1e-4)


def test_other_references_are_not_compared(tmp_path):
    a, b = scored(tmp_path / "a", "a", FIRST), scored(tmp_path / "b", "b", SECOND, reference="s" * 64)
    with pytest.raises(EvalkitError, match="no number of these 2 runs can be compared"):
        compare_runs([a.path, b.path])
