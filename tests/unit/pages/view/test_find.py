import pytest

from evalkit.errors import EvalkitError
from evalkit.pages.view import default_folder, find_runs

ROWS = [{"id": "a", "psnr": 1.0}]


def test_a_folder_of_runs_gives_its_runs_by_name_and_names_the_unfinished(make_run, tmp_path):
    b, a = make_run("b", ROWS), make_run("a", ROWS)
    (tmp_path / "runs" / "c").mkdir()
    (tmp_path / "runs" / "c" / "plan.json").write_text("{}")
    (tmp_path / "runs" / "notes").mkdir()
    found = find_runs([tmp_path / "runs"])
    assert found.sealed == (a, b)
    assert found.unfinished == (tmp_path / "runs" / "c",)


def test_runs_are_found_in_the_order_given_and_once(make_run, tmp_path):
    b, a = make_run("b", ROWS), make_run("a", ROWS)
    assert find_runs([b, tmp_path / "runs", a]).sealed == (b, a)


def test_comparisons_below_a_run_folder_are_found_at_depth(make_run, tmp_path):
    deep = make_run("x", ROWS, place=tmp_path / "runs" / "demo" / "models")
    assert find_runs([tmp_path / "runs"]).sealed == (deep,)
    make_run("y", ROWS, place=tmp_path / "far" / "1" / "2" / "3" / "4")
    with pytest.raises(EvalkitError, match="no finished run"):
        find_runs([tmp_path / "far"])


def test_what_is_no_run_is_refused_with_what_to_give(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "plan.json").write_text("{}")
    for name, says in (
        ("file", "is a file"),
        ("gone", "is not there"),
        ("empty", "no finished run"),
        ("half", "resume"),
    ):
        with pytest.raises(EvalkitError, match=says):
            find_runs([tmp_path / name])
    with pytest.raises(EvalkitError, match="no run was given"):
        find_runs([])


def test_the_default_folder_lies_beside_the_runs_and_is_the_same_for_the_same_runs(make_run, tmp_path):
    a, b = make_run("a", ROWS), make_run("b", ROWS)
    one, two = default_folder([a], [a]), default_folder([tmp_path / "runs"], [a, b])
    assert one.parent == two.parent == (tmp_path / "runs").resolve()
    assert one.name.startswith("view-a-")
    assert two.name.startswith("view-2-runs-")
    assert default_folder([b, a], [b, a]) == two
    assert default_folder([b], [b]) != one
