"""What every task promises: a spec that can be shipped, shards that depend on it alone, a pure aggregation, a whole run."""

import importlib.util
import json
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.resealed import resealed

from evalkit.jobs import engine_inline, timers
from evalkit.jobs.checks import How
from evalkit.jobs.progress import Progress
from evalkit.jobs.task import MODULES, TASKS
from evalkit.jobs.timers import advice
from evalkit.provenance.verify import Depth, verify_run
from evalkit.runs import read_run

SPEC = importlib.util.spec_from_file_location("task_cases", Path(__file__).with_name("task_cases.py"))
CASES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CASES)

ELSEWHERE = """
import pickle, sys
from evalkit.jobs.task import TASKS
spec = pickle.loads(open(sys.argv[1], "rb").read())
task = TASKS.get(spec.task)
worker = task.open(spec, "cpu")
shard = task.shards(spec)[0]
made = worker.process(shard, lambda n: None)
worker.close()
pickle.dump((made.rows, dict(made.arrays), dict(made.files)), open(sys.argv[2], "wb"))
"""


TOLD = {}  # notes by run
CPU = SimpleNamespace(perf_counter=time.process_time)  # a clock that stands still while other programs run


class Listening(engine_inline.Inline):
    """Keeps the spec and the outputs that a run makes."""

    made: ClassVar[list] = []
    notes: ClassVar[list] = []

    def map(self, task, spec, shards, store, progress):
        class Heard:
            def __getattr__(self, name):
                return getattr(store, name)

            def put(self, key, output):
                Listening.made.append((task, spec, key, output))
                store.put(key, output)

        super().map(task, spec, shards, Heard(), progress)


@pytest.fixture(scope="module", params=sorted(CASES.CASES))
def done(request, tmp_path_factory):
    """(run, [(task, spec, key, output)]) of one case, which tells at any length what bounds it."""
    patch = pytest.MonkeyPatch()
    patch.setattr(engine_inline, "Inline", Listening)
    patch.setattr(engine_inline, "LONG", -1.0)
    patch.setattr(engine_inline, "time", CPU)
    patch.setattr(timers, "time", CPU)
    patch.setattr(Progress, "note", lambda self, message: Listening.notes.append(message))
    Listening.made, Listening.notes = [], []
    try:
        folder = tmp_path_factory.mktemp(request.param)
        run = CASES.CASES[request.param](folder / "run")
    finally:
        patch.undo()
    TOLD[run.path] = list(Listening.notes)
    return run, list(Listening.made)


def parquet(table):
    """The bytes of a table, in which a value that is no number equals itself."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def same_arrays(one, other):
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_a_spec_is_small_plain_data_and_comes_back_from_its_plan(done):
    run, made = done
    task, spec = made[0][:2]
    assert len(pickle.dumps(spec)) < 64_000
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert task.spec(run).plan() == spec.plan() == run.record["plan"]


def test_a_fresh_process_makes_the_same_bytes_from_the_spec(done, tmp_path):
    _, made = done
    _, spec, _, here = made[0]
    (tmp_path / "spec").write_bytes(pickle.dumps(spec))
    subprocess.run([sys.executable, "-c", ELSEWHERE, tmp_path / "spec", tmp_path / "made"], check=True)
    rows, arrays, files = pickle.loads((tmp_path / "made").read_bytes())
    assert parquet(rows) == parquet(here.rows)
    assert same_arrays(arrays, dict(here.arrays))
    assert files == dict(here.files)


def test_the_aggregation_is_pure_and_verify_calls_it(done):
    run, made = done
    task = made[0][0]
    again = task.aggregate(task.spec(run), task.parts(run)).results
    said = {(each["metric"], each["dataset"], each["protocol"]): each["value"] for each in run.results}
    kept = [each for each in again if (each.metric, each.dataset, each.protocol) in said]
    assert kept
    assert all(
        said[each.metric, each.dataset, each.protocol] == pytest.approx(each.value, rel=1e-9)
        for each in kept
        if each.value is not None and each.status == "ok"
    )


def test_a_run_tells_the_one_change_that_would_shorten_it(done):
    bound = done[0].record["timings"]["bound_by"]
    assert any(each == f"bound by {bound}; to be faster, {advice(bound)}" for each in TOLD[done[0].path])


def test_the_run_verifies_up_to_its_results_and_its_stages_account_for_the_time(done, monkeypatch):
    heard = []

    class Hearing(Progress):
        def timed(self, title, seconds):
            heard.append(sum(seconds.values()))

    monkeypatch.setattr(timers, "time", CPU)
    began = time.process_time()
    verdict = verify_run(done[0].path, Depth(progress=Hearing()))
    assert heard[0] >= 0.8 * (time.process_time() - began)  # of milliseconds, in which each call outside shows
    assert verdict.failures == ()
    assert [step.status for step in verdict.steps if step.level in (0, 1, 3)] == ["passed"] * 3


def test_the_stages_of_a_run_account_for_its_time(done):
    timings = done[0].record["timings"]
    assert sum(timings["seconds"].values()) >= 0.95 * timings["wall_seconds"] - 0.01  # each stage is rounded


def forged(row, field):
    """The result with another value in `field`; None where it states none."""
    said = row[field]
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return {**row, field: said + 1 if isinstance(said, int) else said * 1.001 + 1e-4}


@pytest.mark.parametrize("field", ["value", "low", "high", "n"])
def test_a_number_that_the_samples_do_not_give_fails_although_the_record_agrees_with_it(done, field, tmp_path):
    run, made = done
    folder = shutil.copytree(run.path, tmp_path / "run")
    rows = json.loads((folder / "results.json").read_bytes())
    at, lie = next(((i, lie) for i, row in enumerate(rows) if (lie := forged(row, field))), (0, None))
    if lie is None:
        pytest.skip(f"no result states its {field}")
    (folder / "results.json").write_text(json.dumps([*rows[:at], lie, *rows[at + 1 :]]))
    outcome = made[0][0].checks().recompute(read_run(resealed(folder)), How())
    assert any(lie["metric"] in str(each) or each.file == "results.json" for each in outcome.failures)


def test_the_same_call_reads_the_run_back(done, request):
    run, _ = done
    name = request.node.callspec.params["done"]
    before = {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}
    assert CASES.CASES[name](run.path).record == run.record
    assert {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()} == before


def test_every_task_has_a_case():
    there = {name for name, module in MODULES.items() if importlib.util.find_spec(module) is not None}
    assert there <= {*CASES.CASES, *CASES.OF_TASK}
    assert there <= set(TASKS)
