"""VTBench's ten parts, and sets that are joined."""

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.folder import FolderSet
from evalkit.images.joined import JoinedSet
from evalkit.images.sample import Sample
from evalkit.images.vtbench import PARTS, vtbench


def stream(repo, config, split):
    assert repo == "huaweilin/VTBench"
    images = [Image.fromarray(np.full((8, 8, 3), len(config) + i, np.uint8)) for i in range(2)]
    rows = datasets.Dataset.from_dict({"image": images}, features=datasets.Features({"image": datasets.Image()}))
    return rows.to_iterable_dataset()


def test_all_ten_parts_know_their_tasks():
    found = vtbench("vtbench", stream)
    assert len(found) == 2 * len(PARTS) == 20
    samples = list(found.read(0, 20))
    assert all(isinstance(each, Sample) for each in samples)
    tasks = [each.meta["task"] for each in samples[::2]]
    assert tasks == ["reconstruction"] * 3 + ["detail"] + ["text"] * 6
    assert samples[-1].id == "task3-multilingual/Korean/00000001"
    assert samples[-1].meta["subset"] == "task3-multilingual/Korean"


@pytest.mark.parametrize(
    ("spec", "count"), [("vtbench/task3-multilingual", 8), ("vtbench/task3-multilingual/Hindi", 2)]
)
def test_a_part_can_be_chosen(spec, count):
    assert len(vtbench(spec, stream)) == count


def test_an_unknown_part_is_refused_with_the_known_ones():
    with pytest.raises(EvalkitError, match="vtbench/task2-detail-preservation"):
        vtbench("vtbench/task9", stream)


@given(st.integers(0, 7), st.integers(0, 7))
def test_joined_sets_read_any_range_in_order(tmp_path_factory, start, length):
    root = tmp_path_factory.getbasetemp() / "joined"
    if not root.exists():
        for name, count in (("a", 3), ("b", 4)):
            (root / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (8, 8), (i, 0, 0)).save(root / name / f"{i}.png")
        (root / "b" / "2.png").write_bytes(b"no image")
    members = [(name, FolderSet.of_folder(root / name), {"subset": name}) for name in "ab"]
    joined = JoinedSet("x", "x", members)
    stop = min(start + length, 7)
    assert [each.id for each in joined.read(start, stop)] == list(joined.ids()[start:stop])
    assert joined.fingerprint(4) == members[1][1].fingerprint(1)
