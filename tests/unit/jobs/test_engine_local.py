import os
import signal

import pytest
from helpers.counted import COUNTED, spec
from helpers.same_run import contents

from evalkit.errors import EvalkitError
from evalkit.jobs.engine_inline import run_task
from evalkit.jobs.engines import engine_of
from evalkit.jobs.live import hold
from evalkit.jobs.options import EngineOptions
from evalkit.jobs.progress import Progress

TWO = EngineOptions("local", workers=2)


class Notes(Progress):
    def __init__(self):
        self.notes, self.done = [], 0

    def note(self, message):
        self.notes.append(message)

    def advance(self, samples, *, resumed=False, timers=None):
        self.done += samples


def test_processes_give_the_bytes_of_one_process(tmp_path):
    inline = run_task(COUNTED, spec(), tmp_path / "a")
    local = run_task(COUNTED, spec(seconds=0.05), tmp_path / "b", engine=TWO)
    assert contents(local.path) == contents(inline.path)
    assert len(local.record["processes"]) == 2
    assert os.getpid() not in local.record["processes"]
    assert local.record["engine"] == {"name": "local", "workers": 2, "lost": 0}


def test_a_process_in_work_knows_which_shard_comes_next(tmp_path):
    run = run_task(COUNTED, spec(seconds=0.5), tmp_path / "run", engine=EngineOptions("local", workers=1))
    assert run.record["coming"] == [*(f"{number:06d}" for number in range(1, 6)), None]


def test_a_killed_process_costs_only_its_shards(tmp_path):
    told = Notes()
    wanted = spec(harm={"000002": "die once"}, folder=str(tmp_path))
    run = run_task(COUNTED, wanted, tmp_path / "run", engine=TWO, progress=told)
    assert run.samples["n"].to_pylist() == list(range(24))
    assert run.record["engine"]["lost"] == 1
    assert told.done == 24
    assert len(list(tmp_path.glob("opened-*"))) == 3
    assert "code 9" in told.notes[0]


def test_a_shard_that_ends_every_worker_is_named_and_the_others_are_kept(tmp_path):
    with pytest.raises(EvalkitError, match="the shard 000005 ended its worker 3 times"):
        run_task(COUNTED, spec(harm={"000005": "die"}), tmp_path / "run", engine=EngineOptions("local", workers=1))
    told = Notes()
    run = run_task(COUNTED, spec(), tmp_path / "run", progress=told)
    assert "resumed" not in told.notes
    assert contents(run.path) == contents(run_task(COUNTED, spec(), tmp_path / "again").path)


def test_what_a_process_raises_is_raised_here_with_its_place(tmp_path):
    with pytest.raises(EvalkitError, match="this shard is wrong"):
        run_task(COUNTED, spec(harm={"000001": "error"}), tmp_path / "a", engine=TWO)
    with pytest.raises(ZeroDivisionError) as caught:
        run_task(COUNTED, spec(harm={"000001": "surprise"}), tmp_path / "b", engine=TWO)
    assert "counted.py" in caught.value.__notes__[0]
    with pytest.raises(EvalkitError, match="wrong weights"):
        run_task(COUNTED, spec(refuses="wrong weights"), tmp_path / "c", engine=TWO)
    assert not (tmp_path / "c").exists()


def test_engines_are_chosen_by_name_and_options_that_do_not_fit_are_refused():
    assert type(engine_of(EngineOptions(), "cpu")).__name__ == "Inline"
    assert type(engine_of(EngineOptions(workers=2), "cpu")).__name__ == "Local"
    assert type(engine_of(EngineOptions("ray"), "cpu")).__name__ == "Ray"
    with pytest.raises(EvalkitError, match="one process"):
        engine_of(EngineOptions("inline", workers=2), "cpu")
    with pytest.raises(EvalkitError, match="--engine ray"):
        engine_of(EngineOptions("local", address="auto"), "cpu")
    with pytest.raises(EvalkitError, match="no engine called 'dask'"):
        engine_of(EngineOptions("dask"), "cpu")


def test_an_object_of_this_process_is_refused_in_a_sentence(tmp_path):
    thing = Notes()
    wanted = spec(live=hold(thing))
    run_task(COUNTED, wanted, tmp_path / "inline")
    with pytest.raises(EvalkitError, match="cannot be sent"):
        run_task(COUNTED, wanted, tmp_path / "run", engine=EngineOptions("local", workers=1))
    assert not (tmp_path / "run").exists()


def test_a_driver_that_is_killed_leaves_no_process_and_the_run_resumes(tmp_path, a_driver):
    driver = a_driver(tmp_path, "EngineOptions('local', workers=2)")
    driver.until(tmp_path / "run" / "shards" / "000001")
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    assert driver.workers_end()
    done = len([each for each in (tmp_path / "run" / "shards").iterdir() if each.name[0] != "."])
    run = run_task(COUNTED, spec(), tmp_path / "run", engine=TWO)
    assert done >= 2
    assert contents(run.path) == contents(run_task(COUNTED, spec(), tmp_path / "again").path)
