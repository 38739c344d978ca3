"""Files that appear whole or not at all."""

import pytest

from evalkit.runs.durable import write_bytes
from evalkit.secret_files import write_new
from evalkit.whole_files import unfinished, whole

LONGEST = "n" * 251 + ".bin"  # a disk's own limit


def within(path):
    with whole(path) as place:
        place.write_bytes(b"all")


@pytest.mark.parametrize("write", [lambda p: write_bytes(p, b"all"), lambda p: write_new(p, b"all"), within])
def test_a_name_as_long_as_the_disk_allows_is_written(tmp_path, write):
    write(tmp_path / LONGEST)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [(LONGEST, b"all")]


def test_two_files_of_one_folder_are_unfinished_under_two_names(tmp_path):
    assert unfinished(tmp_path / "a") != unfinished(tmp_path / "b")
