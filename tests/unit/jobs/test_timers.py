import time

import pytest
from helpers.counted import COUNTED, spec

from evalkit.jobs import engine_inline
from evalkit.jobs.engine_inline import run_task
from evalkit.jobs.progress import Progress
from evalkit.jobs.timers import Timers, advice


def test_stages_account_for_the_wall_time(tmp_path):
    timings = run_task(COUNTED, spec(n=40, seconds=0.01), tmp_path / "run").record["timings"]
    stages = {name: value for name, value in timings["seconds"].items() if name != "count"}  # that one is made up
    assert {"open", "store", "aggregate"} <= stages.keys()
    assert timings["bound_by"] in timings["seconds"]
    begun = timings["wall_seconds"]
    assert 0 < sum(stages.values()) <= begun


def test_time_that_threads_counted_twice_is_not_taken_from_others():
    timers = Timers()
    timers.add("between stages", 1.0)
    timers.add("between stages", -3.0)
    assert timers.seconds == {"between stages": 0.0}


def test_a_long_run_tells_the_one_change_that_shortens_it(tmp_path, monkeypatch):
    notes = []

    class Listening(Progress):
        def note(self, message):
            notes.append(message)

    run_task(COUNTED, spec(), tmp_path / "short", progress=Listening())
    assert notes == []
    monkeypatch.setattr(engine_inline, "LONG", 0.0)
    run = run_task(COUNTED, spec(), tmp_path / "long", progress=Listening())
    bound = run.record["timings"]["bound_by"]
    assert notes == [f"bound by {bound}; to be faster, {advice(bound)}"]


def test_a_run_of_a_command_counts_from_its_first_line():
    timers = Timers()
    timers.since(timers.started - 5.0)
    assert timers.seconds["start-up"] == pytest.approx(5.0)
    assert timers.wall >= 5.0


def test_start_up_is_in_the_first_run_of_a_command_and_in_no_other(tmp_path):
    told = Progress()
    told.since = time.perf_counter() - 100.0
    first, second = (run_task(COUNTED, spec(), tmp_path / name, progress=told) for name in "ab")
    timings = first.record["timings"]
    assert timings["seconds"]["start-up"] == pytest.approx(100.0, abs=15)
    assert timings["wall_seconds"] > 100.0
    assert timings["images_per_second"] < 0.3
    assert timings["bound_by"] == "start-up"
    assert "start-up" not in second.record["timings"]["seconds"]
