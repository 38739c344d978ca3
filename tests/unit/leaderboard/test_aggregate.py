import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.leaderboard.aggregate import aggregates
from evalkit.leaderboard.collect import collect


def run(runs, name, sets, metric="psnr", ids=None):
    """A run with values by data set."""
    values = np.concatenate(list(sets.values()))
    subset = [key for key, part in sets.items() for _ in part]
    rows = [runs.result(metric, float(part.mean()), len(part), dataset=f"photos/{key}") for key, part in sets.items()]
    return runs.run(name, values, metric, columns={"subset": subset}, results=rows, ids=ids)


@pytest.fixture
def two(noise):
    return lambda seed, gain=0.0: {"day": noise(seed, 40) + gain, "night": noise(seed, 20) + 2 * gain}


def test_every_data_set_counts_the_same(runs, two):
    paths = [run(runs, "a", two(1)), run(runs, "b", two(2))]
    (mean,) = aggregates(runs.boards(*paths).boards, collect(paths), "psnr")
    wanted = np.mean([part.mean() for part in two(1).values()])
    assert next(s.figure.value for s in mean.order.standings if s.figure.entrant == 0) == pytest.approx(wanted)
    assert len(mean.parts) == 2
    assert mean.terms.n == 60


def test_its_errors_are_those_of_the_parts(runs, two):
    paths = [run(runs, "a", two(1, 0.4)), run(runs, "b", two(2))]
    found = runs.boards(*paths)
    (mean,) = aggregates(found.boards, collect(paths), "psnr")
    parts = [board.order.errors[0, 1] for board in found.boards]
    assert mean.order.errors[0, 1] == pytest.approx(np.hypot(*parts) / 2)
    assert mean.order.standings[0].figure.entrant == 0
    assert mean.order.standings[1].best == 2
    low, high = mean.order.standings[0].figure.low, mean.order.standings[0].figure.high
    assert low < mean.order.standings[0].figure.value < high


def test_who_lacks_a_data_set_is_left_out_and_named(runs, two, noise):
    paths = [run(runs, "a", two(1)), run(runs, "b", two(2)), run(runs, "c", {"day": noise(3, 40)})]
    (mean,) = aggregates(runs.boards(*paths).boards, collect(paths), "psnr")
    assert sorted(mean.entrants) == [0, 1]
    assert [(each.entrant, each.reason) for each in mean.left_out] == [(2, "not on photos/night")]


def test_without_a_common_set_there_is_no_mean(runs, noise):
    sets = [{"day": noise(1, 40), "night": noise(1, 20)}, {"day": noise(2, 40)}, {"night": noise(3, 20)}]
    ids = [None, None, [f"s{i:03d}" for i in range(40, 60)]]
    paths = [run(runs, name, part, ids=names) for name, part, names in zip("abc", sets, ids, strict=True)]
    with pytest.raises(EvalkitError, match="no common set"):
        aggregates(runs.boards(*paths).boards, collect(paths), "psnr")


def test_an_unknown_metric_names_the_known_ones(runs, two):
    paths = [run(runs, "a", two(1)), run(runs, "b", two(2))]
    with pytest.raises(EvalkitError, match="give one of psnr"):
        aggregates(runs.boards(*paths).boards, collect(paths), "speed")


def test_nothing_is_averaged_unless_asked_for(runs, two, tmp_path):
    paths = [run(runs, "a", two(1)), run(runs, "b", two(2))]
    assert not any(board.parts for board in runs.make(tmp_path / "one", *paths).boards)
    made = runs.make(tmp_path / "two", *paths, aggregate=("psnr",))
    assert [len(board.parts) for board in made.boards] == [2, 0, 0]
