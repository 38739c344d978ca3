"""Which runs a reader means: a run, a folder of runs, a pattern."""

import pytest

from evalkit.errors import EvalkitError
from evalkit.runs.find import find_runs


@pytest.fixture
def folder(tmp_path):
    for name in ("a-jpeg", "deep/b-jpeg", "c-webp"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "record.json").write_text("{}")
    (tmp_path / "runs" / "d-jpeg").mkdir()
    (tmp_path / "runs" / "d-jpeg" / "plan.json").write_text("{}")
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "x-jpeg.txt").write_text("")
    return tmp_path / "runs"


def names(paths):
    return [path.name for path in paths]


def test_a_run_a_folder_and_a_pattern_give_runs_once_each(folder):
    assert names(find_runs([folder / "c-webp"]).sealed) == ["c-webp"]
    assert names(find_runs([folder]).sealed) == ["a-jpeg", "c-webp", "b-jpeg"]
    assert find_runs(str(folder)) == find_runs([folder])  # a text is one path, not its letters
    found = find_runs([folder / "*-jpeg*", folder / "a-jpeg", folder / "*"])
    assert names(found.sealed) == ["a-jpeg", "c-webp", "b-jpeg"]
    assert names(found.unfinished) == ["d-jpeg"]


def test_a_folder_whose_name_looks_like_a_pattern_is_itself(folder):
    (folder / "[a]").mkdir()
    (folder / "[a]" / "record.json").write_text("{}")
    assert names(find_runs([folder / "[a]"]).sealed) == ["[a]"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nowhere", "is not there"),
        ("x-jpeg.txt", "is a file"),
        ("notes", "no finished run"),
        ("z*", "matches no folder"),
    ],
)
def test_what_holds_no_run_is_one_sentence(folder, given, said):
    with pytest.raises(EvalkitError, match=said):
        find_runs([folder / given])
