"""What the base drew: made once, also across processes, and made again where the file is damaged."""

import numpy as np

from evalkit.erasure.check import memory
from evalkit.erasure.check.memory import Memory


def counted(made):
    return lambda: made.append(1) or {"value": np.array(len(made))}


def test_a_memory_makes_each_value_once():
    kept, made = Memory(), []
    values = [int(kept.get(key, counted(made))["value"]) for key in ("a", ["b", 1], "a")]
    assert values == [1, 2, 1]


def test_a_folder_serves_the_next_process(tmp_path):
    made = []
    first = Memory(tmp_path / "kept").get(["a"], counted(made))
    again = Memory(tmp_path / "kept").get(["a"], counted(made))
    assert len(made) == 1
    assert again["value"] == first["value"]


def test_a_damaged_file_is_made_again(tmp_path):
    made = []
    Memory(tmp_path).get("a", counted(made))
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:40])
    assert int(Memory(tmp_path).get("a", counted(made))["value"]) == 2


def test_a_full_folder_loses_what_was_used_least_lately(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "LARGEST", 10_000)
    kept = Memory(tmp_path)
    for key in range(8):
        kept.get(key, lambda: {"value": np.zeros(400)})
    assert sum(path.stat().st_size for path in tmp_path.glob("*.npz")) <= 10_000
