"""Two values with another protocol, n, reference or network never share a board."""

import pytest

import evalkit
from evalkit.jobs.options import RunOptions
from evalkit.leaderboard.terms import different, terms_of


def terms(run, metric):
    (row,) = [each for each in run.results if each["metric"] == metric]
    return terms_of(run.record, row, "")


@pytest.fixture
def scored(sets, tmp_path):
    def made(images, reference, metric="fd_efflite0", **given):
        folder = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        options = RunOptions(out=folder, device="cpu", limit=given.pop("limit", None))
        return terms(evalkit.score(images, reference, metrics=[metric], options=options, **given), metric)

    return made


def test_two_sets_against_one_reference_share_a_board(sets, scored):
    first, second = sets
    assert scored(first, "sample/photos", limit=9) == scored(second, "sample/photos", limit=9)


def test_another_reference_or_n_does_not_and_the_difference_is_named(sets, scored):
    first, second = sets
    one = scored(first, second)
    assert "digest of the data" in [word for word, *_ in different(one, scored(first, "sample/photos"))]
    assert "n" in [word for word, *_ in different(one, scored(first, second, limit=10))]


def test_another_network_does_not(sets, scored):
    assert "efflite0 " in scored(*sets).judges


def test_another_protocol_does_not(sets, tmp_path, colours):
    found = []
    for protocol in ("adm", "pytorch-fid"):
        options = RunOptions(out=tmp_path / protocol, device="cpu", weights=colours)
        found.append(terms(evalkit.score(*sets, metrics=["fid"], protocol=protocol, options=options), "fid"))
    assert [word for word, *_ in different(*found)] == ["protocol"]


def test_scores_without_a_reference_compare_at_equal_n(sets, scored):
    first, second = sets
    metric = "vendi_efflite0"
    assert scored(first, None, metric, limit=12) == scored(second, None, metric, limit=12)
    assert scored(first, None, metric) != scored(second, None, metric)
