"""Outputs are stored in order while the next shard is in work, and what storing raises is raised."""

import threading

import pyarrow as pa
import pytest

from evalkit.jobs.behind import Behind
from evalkit.jobs.shard import ShardOutput

ROWS = ShardOutput(pa.table({}))
FILES = ShardOutput(pa.table({}), files={"a": b"1"})


class Store:
    def __init__(self, wrong=None):
        self.wrong, self.done, self.go = wrong, [], threading.Event()

    def put(self, key, output):
        if not output.files:
            self.go.wait(60)
        if key == self.wrong:
            raise OSError(key)
        self.done.append(key)


def test_rows_are_stored_behind_and_files_at_once():
    store = Store()
    with Behind(store) as behind:
        behind.put("a", ROWS)
        assert store.done == []
        store.go.set()
        behind.put("b", FILES)
        assert store.done == ["a", "b"]
        behind.put("c", ROWS)
        behind.settle()
        assert store.done == ["a", "b", "c"]


def test_a_shard_is_stored_although_the_next_one_fails():
    store = Store()
    store.go.set()
    behind = Behind(store)
    behind.put("a", ROWS)
    behind.__exit__(KeyError, KeyError(), None)
    assert store.done == ["a"]


@pytest.mark.parametrize("how", ["put", "settle"])
def test_what_storing_raises_is_raised(how):
    store = Store(wrong="a")
    store.go.set()
    with Behind(store) as behind:
        behind.put("a", ROWS)
        with pytest.raises(OSError, match="a"):
            behind.put("b", ROWS) if how == "put" else behind.settle()
