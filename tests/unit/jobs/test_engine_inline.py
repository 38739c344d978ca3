import numpy as np
import pyarrow as pa
import pytest

from evalkit.jobs.engine_inline import run_job
from evalkit.jobs.job import Job, Progress, RunOptions, Worker, split
from evalkit.jobs.timers import Timers
from evalkit.runs.store import Run, RunStore, ShardOutput, read_run, results_json


class BoomError(Exception):
    pass


class Counting(Worker):
    def __init__(self, fail_at=None):
        self.done, self.fail_at = [], fail_at

    def process(self, shard, tick):
        if shard.key == self.fail_at:
            raise BoomError
        self.done.append(shard.key)
        tick(shard.size)
        return ShardOutput(pa.table({"n": np.arange(shard.start, shard.stop)}), {})


class Numbers(Job):
    title = "numbers"

    def __init__(self, n=10, fail_at=None):
        self.n, self.timers, self.made = n, Timers(), Counting(fail_at)

    def plan(self):
        return {"n": self.n}

    def shards(self):
        return split(self.n, 4)

    def worker(self, device):
        return self.made

    def reduce(self, store: RunStore) -> Run:
        store.write_samples([shard.key for shard in self.shards()])
        (store.path / "results.json").write_bytes(results_json([]))
        store.seal({"done": True})
        return read_run(store.path)

    def present(self, run: Run) -> None:
        (run.path / "page").write_text("page")


class Watching(Progress):
    def __init__(self):
        self.events = []

    def advance(self, samples, *, resumed=False, timers=None):
        self.events.append((samples, resumed))

    def note(self, message):
        self.events.append(message)


def test_all_shards_are_done_once_and_in_order(tmp_path):
    job = Numbers()
    run = run_job(job, RunStore(tmp_path / "run"), RunOptions())
    assert run.samples["n"].to_pylist() == list(range(10))
    assert job.made.done == ["000000", "000001", "000002"]
    assert (run.path / "page").exists()


def test_an_interrupted_run_keeps_its_finished_shards(tmp_path):
    with pytest.raises(BoomError):
        run_job(Numbers(fail_at="000001"), RunStore(tmp_path / "run"), RunOptions())
    job, watching = Numbers(), Watching()
    run = run_job(job, RunStore(tmp_path / "run"), RunOptions(progress=watching))
    assert job.made.done == ["000001", "000002"]
    assert watching.events[0] == (4, True)
    assert run.samples["n"].to_pylist() == list(range(10))


def test_a_sealed_run_is_read_back_and_its_page_made_again_if_lost(tmp_path):
    run = run_job(Numbers(), RunStore(tmp_path / "run"), RunOptions())
    (run.path / "page").unlink()
    job, watching = Numbers(), Watching()
    run_job(job, RunStore(tmp_path / "run"), RunOptions(progress=watching))
    assert job.made.done == []
    assert "complete already" in watching.events[0]
    assert (run.path / "page").exists()


def test_timers_name_the_longest_stage():
    timers = Timers()
    timers.seconds.update(read=0.1, encode=2.0)
    assert timers.bound_by() == "encode"
    assert timers.wall > 0
