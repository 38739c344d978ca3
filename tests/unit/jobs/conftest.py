import os
import subprocess
import sys
import time

import pytest

DRIVER = """
import sys
from helpers.counted import COUNTED, spec
from evalkit.jobs.engine_inline import run_task
from evalkit.jobs.options import EngineOptions
if __name__ == "__main__":
    run_task(COUNTED, spec(seconds=0.3, folder=sys.argv[1]), __import__("pathlib").Path(sys.argv[1]) / "run", engine={engine})
"""


class Driver(subprocess.Popen):
    """A run of the task `counted` in a process of its own."""

    def __init__(self, folder, engine):
        self.folder = folder
        script = folder / "driver.py"
        script.write_text(DRIVER.format(engine=engine))
        path = os.pathsep.join(each for each in sys.path if each)
        super().__init__([sys.executable, str(script), str(folder)], env={**os.environ, "PYTHONPATH": path})

    def until(self, path, seconds=60.0):
        end = time.monotonic() + seconds
        while not path.exists():
            if self.poll() is not None or time.monotonic() > end:
                pytest.fail(f"{path} does not appear")
            time.sleep(0.02)

    def workers_end(self, seconds=20.0):
        """Whether every process that opened the worker ends."""
        end = time.monotonic() + seconds
        left = [int(each.name.partition("-")[2]) for each in self.folder.glob("opened-*")]
        while left and time.monotonic() < end:
            left = [pid for pid in left if alive(pid)]
            time.sleep(0.05)
        return not left


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def a_driver():
    """Starts drivers, and ends those that are left."""
    started = []

    def start(folder, engine):
        started.append(Driver(folder, engine))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()
