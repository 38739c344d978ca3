"""A task that costs nothing, for tests of engines: every sample is its own number, and a shard can do harm once."""

import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Checks, Outcome
from evalkit.jobs.live import held
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task, Worker
from evalkit.runs.store import Result

COLUMNS = pa.schema([("id", pa.string()), ("n", pa.int64())])


class Counting(Worker):
    def __init__(self, here):
        self.here = here

    def process(self, shard, tick):
        self.harm(shard)
        if shard.exhibit is not None:
            return ShardOutput(COLUMNS.empty_table(), files={"worst.txt": b"worst"}, facts={"said": {"worst": 1}})
        time.sleep(self.here.get("seconds", 0.0))
        end = time.process_time() + self.here.get("work", 0.0)
        while time.process_time() < end:
            pass
        weight = np.zeros(self.here.get("bytes", 0), np.uint8)
        numbers = range(shard.start, shard.stop)
        rows = pa.table({"id": [f"{each:09d}" for each in numbers], "n": list(numbers)}, COLUMNS)
        files = {f"files/{shard.key}.txt": shard.key.encode()}
        return ShardOutput(rows, {"weight": weight}, files, {"count": 1.0}, self.facts())

    def facts(self):
        coming = self.upcoming()
        return {"process": os.getpid(), "coming": None if coming is None else coming.key}

    def harm(self, shard):
        kind = self.here.get("harm", {}).get(shard.key)
        if kind == "error":
            raise EvalkitError("this shard is wrong")
        if kind == "surprise":
            raise ZeroDivisionError("a defect")
        if kind == "die" or (kind == "die once" and first(self.here["folder"], shard.key)):
            os._exit(9)


class Counted(Task):
    name = "counted"

    def size(self, spec):
        return spec.parameters["n"]

    def schema(self, spec):
        return COLUMNS

    def open(self, spec, device):
        if spec.here.get("refuses"):
            raise EvalkitError(spec.here["refuses"])
        if "live" in spec.here:
            held(spec.here["live"])
        if "folder" in spec.here:
            (Path(spec.here["folder"]) / f"opened-{os.getpid()}").touch()
        return Counting(spec.here)

    def aggregate(self, spec, parts):
        total = sum(int(np.sum(table["n"].to_numpy())) for table in parts.tables())
        result = Result("counted", "", "sum", float(total), None, None, "sum", 1, "", "none", "")
        facts = list(parts.facts())
        said = {"processes": sorted({each["process"] for each in facts}), "coming": [each["coming"] for each in facts]}
        return Aggregated(parts.tables(), [result], {"sum.txt": b"%d" % total}, said)

    def exhibits(self, spec, samples):
        return [Shard("worst", 0, 1, {"n": 1})]

    def page(self, run):
        return f"<p>{run.results[0]['value']:g}"

    def checks(self):
        return CountedChecks()


class CountedChecks(Checks):
    scores = False

    def recompute(self, run, how):
        return Outcome(1)


def first(folder, name):
    """Whether nobody asked before, in any process."""
    try:
        (Path(folder) / f"died-{name}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def spec(n=24, shard=4, **here):
    return Spec("counted", 1, parameters={"n": n}, shard=shard, here=here)


COUNTED = Counted()
TASKS.add("counted", COUNTED)
