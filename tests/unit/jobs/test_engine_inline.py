import numpy as np
import pyarrow as pa
import pytest

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Checks, Outcome
from evalkit.jobs.engine_inline import run_folder, run_task
from evalkit.jobs.progress import Progress
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Aggregated, Task, Worker
from evalkit.jobs.timers import Timers
from evalkit.runs.store import Result

COLUMNS = pa.schema([("n", pa.int64())])


class BoomError(Exception):
    pass


class Counting(Worker):
    def __init__(self, fail_at):
        self.done, self.fail_at, self.closed = [], fail_at, False

    def process(self, shard, tick):
        if shard.key == self.fail_at:
            raise BoomError
        self.done.append(shard.key)
        if shard.exhibit is not None:
            return ShardOutput(COLUMNS.empty_table(), files={"worst.txt": b"9"}, facts={"said": {"worst": 9}})
        tick(shard.size)
        rows = pa.table({"n": np.arange(shard.start, shard.stop)})
        return ShardOutput(
            rows, files={f"files/{shard.key}.txt": b"x"}, seconds={"count": 1.0}, facts={"at": shard.start}
        )

    def close(self):
        self.closed = True


class NumbersChecks(Checks):
    def recompute(self, run, how):
        return Outcome(1)


class Numbers(Task):
    name = "numbers"

    def __init__(self, fail_at=None, refuses=None):
        self.worker, self.refuses, self.opened = Counting(fail_at), refuses, 0

    def size(self, spec):
        return spec.parameters["n"]

    def schema(self, spec):
        return COLUMNS

    def open(self, spec, device):
        if self.refuses:
            raise EvalkitError(self.refuses)
        self.opened += 1
        return self.worker

    def aggregate(self, spec, parts):
        total = sum(sum(table["n"].to_pylist()) for table in parts.tables())
        result = Result("numbers", "", "sum", float(total), None, None, "sum", 1, "", "none", "")
        return Aggregated(parts.tables(), [result], {"sum.txt": b"%d" % total}, {"said": {"total": total}})

    def exhibits(self, spec, samples):
        return [Shard("worst", 0, 1, {"n": max(samples["n"].to_pylist())})]

    def page(self, run):
        return f"total {run.record['said']['total']}"

    def checks(self):
        return NumbersChecks()


def spec(n=10):
    return Spec("numbers", 1, parameters={"n": n}, shard=4)


class Watching(Progress):
    def __init__(self):
        self.events = []

    def advance(self, samples, *, resumed=False, timers=None):
        self.events.append((samples, resumed))

    def note(self, message):
        self.events.append(message)


def test_shards_and_exhibits_are_done_once_and_in_order_by_one_worker(tmp_path):
    task = Numbers()
    run = run_task(task, spec(), tmp_path / "run")
    assert run.samples["n"].to_pylist() == list(range(10))
    assert task.worker.done == ["000000", "000001", "000002", "worst"]
    assert (task.opened, task.worker.closed) == (1, True)
    assert run.record["said"] == {"total": 45, "worst": 9}
    assert run.record["timings"]["seconds"]["count"] == 3.0
    assert run.results[0]["value"] == 45.0
    assert (run.path / "report.html").read_text() == "total 45"
    names = {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file()}
    assert {"files/000001.txt", "worst.txt", "sum.txt"} < names
    assert set(run.record["files"]) == names - {"record.json"}


def test_an_interrupted_run_keeps_its_finished_shards(tmp_path):
    with pytest.raises(BoomError):
        run_task(Numbers(fail_at="000001"), spec(), tmp_path / "run")
    task, watching = Numbers(), Watching()
    run = run_task(task, spec(), tmp_path / "run", progress=watching)
    assert task.worker.done == ["000001", "000002", "worst"]
    assert watching.events[0] == (4, True)
    assert run.samples["n"].to_pylist() == list(range(10))


def test_a_sealed_run_is_read_back_and_its_page_made_again_if_lost(tmp_path):
    run = run_task(Numbers(), spec(), tmp_path / "run")
    (run.path / "report.html").unlink()
    task, watching = Numbers(), Watching()
    run_task(task, spec(), tmp_path / "run", progress=watching)
    assert task.opened == 0
    assert "complete already" in watching.events[0]
    assert (run.path / "report.html").exists()


def test_a_mistake_that_the_worker_finds_leaves_nothing_behind(tmp_path):
    with pytest.raises(EvalkitError, match="wrong weights"):
        run_task(Numbers(refuses="wrong weights"), spec(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_spec_in_the_folder_is_refused_and_named(tmp_path):
    run_task(Numbers(), spec(), tmp_path / "run")
    with pytest.raises(EvalkitError, match=r"another run \(n 10, now 11\)"):
        run_task(Numbers(), spec(11), tmp_path / "run")


def test_the_default_folder_is_named_by_the_plan():
    assert run_folder(spec(), "a/b c") == run_folder(spec(), "a/b c")
    assert run_folder(spec(), "m") != run_folder(spec(11), "m")
    assert run_folder(spec(), "a/b c").name.startswith("numbers-a-b-c-")


def test_timers_name_the_longest_stage():
    timers = Timers()
    timers.seconds.update(read=0.1, encode=2.0)
    assert timers.bound_by() == "encode"
    assert timers.wall > 0
