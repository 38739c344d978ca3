"""Runs on a Ray cluster of two nodes on this machine."""

import importlib.util
import os
import pickle
import signal
import sys
import time
from pathlib import Path

import pytest
from helpers.counted import COUNTED, spec
from helpers.same_run import contents

from evalkit.errors import EvalkitError
from evalkit.jobs import engine_inline
from evalkit.jobs.engine_inline import run_task
from evalkit.jobs.engine_ray import Ray
from evalkit.jobs.options import EngineOptions
from evalkit.jobs.progress import Progress
from evalkit.runs.store import RunStore

ray = pytest.importorskip("ray")
SPEC = importlib.util.spec_from_file_location("task_cases", Path(__file__).with_name("task_cases.py"))
CASES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CASES)

TWO = EngineOptions("ray", workers=2)
MEGABYTE = 1_000_000
PRIORITY = "RAY_worker_niceness"


def begun(start):
    """What `start` gives; Ray waits half a minute for a node to start, which is not enough on a busy machine."""
    for _ in range(4):
        try:
            return start()
        except Exception as error:
            if "timed out" not in str(error):
                raise
    return start()


@pytest.fixture(scope="module")
def cluster():
    """A head and a second node with one CPU and 100 MB of object store each."""
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(each for each in sys.path if each)  # nodes take it from here
    os.environ[PRIORITY] = "0"  # workers would starve where others use the machine
    size = {"num_cpus": 1, "object_store_memory": 100 * MEGABYTE}
    made = begun(lambda: Cluster(initialize_head=True, head_node_args={**size, "include_dashboard": False}))
    made.sizes = size
    begun(lambda: made.add_node(**size))
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()
    os.environ.update({"PYTHONPATH": before} if before is not None else {})
    del os.environ[PRIORITY]


class Heard(Progress):
    def __init__(self, after=None, do=None):
        self.notes, self.done, self.after, self.do = [], 0, after, do

    def note(self, message):
        self.notes.append(message)

    def advance(self, samples, *, resumed=False, timers=None):
        self.done += samples
        if self.do is not None and self.done >= self.after:
            do, self.do = self.do, None
            do()


def test_two_nodes_give_the_bytes_of_one_process_though_an_actor_dies(cluster, tmp_path):
    told = Heard()
    wanted = spec(seconds=0.1, harm={"000002": "die once"}, folder=str(tmp_path))
    run = run_task(COUNTED, wanted, tmp_path / "run", engine=TWO, progress=told)
    assert contents(run.path) == contents(run_task(COUNTED, spec(), tmp_path / "inline").path)
    assert run.record["engine"] == {"name": "ray", "workers": 2, "lost": 1}
    assert len(list(tmp_path.glob("opened-*"))) >= 2
    assert os.getpid() not in run.record["processes"]
    assert told.done == 24
    with pytest.raises(EvalkitError, match="this shard is wrong"):
        run_task(COUNTED, spec(harm={"000001": "error"}), tmp_path / "bad", engine=TWO)
    assert ray.is_initialized()


def test_an_actor_in_work_knows_which_shard_comes_next(cluster, tmp_path):
    run = run_task(COUNTED, spec(seconds=0.5), tmp_path / "run", engine=EngineOptions("ray", workers=1))
    assert run.record["coming"] == [*(f"{number:06d}" for number in range(1, 6)), None]


class OnTwo(Ray):
    """Takes the place of the engine of one process, whose options it is given."""

    def __init__(self, device, options):
        super().__init__(device, TWO)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES.CASES))
def test_every_task_gives_the_bytes_of_one_process(cluster, tmp_path, monkeypatch, name):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    inline = CASES.CASES[name](tmp_path / "a" / "run")
    for made in (tmp_path / "a").glob("secret.key"):
        (tmp_path / "b" / made.name).write_bytes(made.read_bytes())
    monkeypatch.setattr(engine_inline, "Inline", OnTwo)
    run = CASES.CASES[name](tmp_path / "b" / "run")
    assert run.record["engine"]["name"] == "ray"
    assert contents(run.path) == contents(inline.path)


@pytest.mark.slow
def test_a_lost_node_costs_only_its_shards(cluster, tmp_path):
    node = cluster.add_node(**cluster.sizes)
    cluster.wait_for_nodes()
    told = Heard(after=12)

    def lose_it_in_work():
        end = time.monotonic() + 120
        while len(list(tmp_path.glob("opened-*"))) < 3 and time.monotonic() < end:  # its worker may open late
            time.sleep(0.05)
        told.after, told.do = told.done + 24, lambda: cluster.remove_node(node, allow_graceful=False)

    told.do = lose_it_in_work
    engine, wanted = EngineOptions("ray", workers=3), spec(n=120, seconds=0.2, folder=str(tmp_path))
    run = run_task(COUNTED, wanted, tmp_path / "run", engine=engine, progress=told)
    assert run.samples["n"].to_pylist() == list(range(120))
    assert 1 <= run.record["engine"]["lost"] <= 2
    assert told.done == 120


@pytest.mark.slow
def test_a_killed_driver_is_started_again_and_goes_on(cluster, tmp_path, a_driver):
    driver = a_driver(tmp_path, f"EngineOptions('ray', '{cluster.address}', workers=2)")
    driver.until(tmp_path / "run" / "shards" / "000001")
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert driver.workers_end()
    store = RunStore(tmp_path / "run")
    done = sum(store.has(f"{number:06d}") for number in range(6))
    assert 2 <= done < 6
    told = Heard()
    run = run_task(COUNTED, spec(), tmp_path / "run", engine=TWO, progress=told)
    assert contents(run.path) == contents(run_task(COUNTED, spec(), tmp_path / "inline").path)


@pytest.mark.slow
def test_a_small_object_store_is_enough_for_a_large_run(cluster, tmp_path):
    wanted = spec(n=240, shard=4, bytes=20 * MEGABYTE)  # 1,200 MB through 200 MB
    run = run_task(COUNTED, wanted, tmp_path / "run", engine=TWO)
    assert run.samples.num_rows == 240
    used = ray.available_resources().get("object_store_memory", 0)
    assert used > 150 * MEGABYTE  # all of it is free again


@pytest.mark.slow
def test_two_workers_are_faster_than_one(cluster, tmp_path):
    if os.getloadavg()[0] > 1.0:
        pytest.skip("the machine is busy")
    seconds = []
    for workers in (1, 2):
        began = time.perf_counter()
        engine = EngineOptions("ray", workers=workers)
        run_task(COUNTED, spec(n=96, work=0.5), tmp_path / f"{workers}", engine=engine)
        seconds.append(time.perf_counter() - began)
    assert seconds[0] / seconds[1] > 1.6


def test_no_spec_holds_a_key(tmp_path, monkeypatch):
    from evalkit.watermark.keys import Key

    seen = []

    class Listening(engine_inline.Inline):
        def map(self, task, spec, shards, store, progress):
            seen.append(pickle.dumps(spec))
            super().map(task, spec, shards, store, progress)

    monkeypatch.setattr(engine_inline, "Inline", Listening)
    CASES.CASES["watermark"](tmp_path / "run")
    key = CASES.key(tmp_path)
    secrets = [value for value in vars(key).values() if isinstance(value, bytes)] if isinstance(key, Key) else []
    assert secrets
    assert not any(secret in each or secret.hex().encode() in each for secret in secrets for each in seen)
