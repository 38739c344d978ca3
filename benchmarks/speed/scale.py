"""What a run costs its driver where the workers cost nothing: 64 simulated workers, and Ray's own with --ray.

Storing waits until a disk has a shard; on a busy one give --folder /dev/shm, for the CPU time is what is measured.

python benchmarks/speed/scale.py [--ray] [--folder DIR] [--samples 1000000,100000000]
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import numpy as np
import pyarrow as pa
from common import peak_mb, read, write

from evalkit.jobs import engine_inline
from evalkit.jobs.checks import Checks
from evalkit.jobs.engine_inline import run_task
from evalkit.jobs.options import EngineOptions
from evalkit.jobs.pool import Crew, Event, Pool
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task, Worker
from evalkit.runs.store import Result, RunStore

CASES = ((10**4, 64), (10**5, 64), (10**6, 64), (10**6, 4096), (10**7, 4096), (10**8, 4096))
COLUMNS = pa.schema([("n", pa.int64())])


class Idle(Worker):
    """Does nothing."""

    def process(self, shard, tick):
        return output_of(shard)


def output_of(shard: Shard) -> ShardOutput:
    return ShardOutput(pa.table({"n": np.arange(shard.start, shard.stop)}))


class Nothing(Task):
    """Samples that are their own numbers."""

    name = "nothing"

    def size(self, spec):
        return spec.parameters["n"]

    def schema(self, spec):
        return COLUMNS

    def open(self, spec, device):
        return Idle()

    def aggregate(self, spec, parts):
        total = sum(table.num_rows for table in parts.tables())
        result = Result("nothing", "", "count", float(total), None, None, "count", total, "", "none", "")
        return Aggregated(parts.tables(), [result])

    def checks(self):
        return Checks()


class Instant(Crew):
    """Workers that are done as soon as they are asked."""

    name, size = "simulated", 64

    def __init__(self):
        self.events: deque[Event] = deque()

    def start(self, place):
        self.events.append(Event(place))

    def give(self, place, shard):
        self.events.append(Event(place, output_of(shard)))

    def next(self):
        return self.events.popleft()

    def close(self):
        self.events.clear()


class Simulated(Pool):
    """The pool over such workers."""

    device = "cpu"

    def hire(self, task, spec, most):
        return Instant()


class Clocked(RunStore):
    """The store, with the CPU seconds that storing and sealing take."""

    def put(self, key, output):
        began = time.process_time()
        super().put(key, output)
        SPENT["store"] += time.process_time() - began

    def seal(self, record, *, keep=False):
        began = time.process_time()
        super().seal(record, keep=keep)
        self.settle()
        SPENT["seal"] += time.process_time() - began


SPENT = {"store": 0.0, "seal": 0.0}
engine_inline.open_store = Clocked
TASK = Nothing()
if __name__ != "__main__":  # main imports this file again, as actors do
    TASKS.add(TASK.name, TASK)


def measure(n: int, shard: int, folder: Path, *, ray: bool) -> dict[str, object]:
    """One run, in this process."""
    engine = EngineOptions("ray", workers=2) if ray else Simulated()
    run_task(TASK, Spec("nothing", 1, parameters={"n": 64}), folder.with_name("warm"), device="cpu")
    began = time.process_time()
    run = run_task(TASK, Spec("nothing", 1, parameters={"n": n}, shard=shard), folder, device="cpu", engine=engine)
    cpu, shards = time.process_time() - began, -(-n // shard)
    return {
        "workers": run.record["engine"]["name"],
        "samples": n,
        "shard": shard,
        "shards": shards,
        "store_ms_per_shard": round(SPENT["store"] / shards * 1e3, 3),
        "seal_s": round(SPENT["seal"], 2),
        "driver_cpu_s": round(cpu, 2),
        "driver_ms_per_shard": round(cpu / shards * 1e3, 3),
        "driver_peak_mb": round(peak_mb()),
    }


def main() -> None:
    """Measure every case in a fresh process, and write results/scale.csv row by row; rows of other cases stay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--samples", help="some of the numbers of samples")
    parser.add_argument("--case", type=int, nargs=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if given.case:
            os.environ["PYTHONPATH"] = os.pathsep.join(each for each in sys.path if each)  # actors import this file
            module = importlib.import_module(Path(__file__).stem)
            print(json.dumps(module.measure(*given.case, Path(folder) / "run", ray=given.ray)))
            return
        name = "scale-ray" if given.ray else "scale"
        chosen = [int(each) for each in given.samples.split(",")] if given.samples else [n for n, _ in CASES]
        for n, shard in CASES[:4] if given.ray else CASES:
            if n not in chosen:
                continue
            words = [sys.executable, __file__, "--case", str(n), str(shard), "--folder", folder]
            words += ["--ray"] if given.ray else []
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            fresh = json.loads(done.stdout.strip().splitlines()[-1])
            rows = {(int(each["samples"]), int(each["shard"])): each for each in [*read(name), fresh]}
            write(name, [rows[case] for case in CASES if case in rows])


if __name__ == "__main__":
    main()
