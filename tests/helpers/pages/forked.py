"""Run many `evalkit` commands with one start-up: a server that has imported everything and forks for each command.

A request is a JSON line: `argv` or `code`, `cwd`, `env`, `out` and `err` (files), `seconds`, `stays`. The reply is
`{"exit": N, "cpu": SECONDS}`, or `{"pid": N}` for a command that stays.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

EARLY = ("torch", "torchvision", "timm", "open_clip", "scipy.stats", "sklearn.cluster", "PIL.Image", "cv2", "duckdb")
LATE = 124  # the exit code of a command that was ended


class Forked:
    """The server, started by the process that asks it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "EVALKIT_OFFLINE": "1"},
        )
        self.staying = []
        self.cpu = 0.0  # seconds of all commands that ended

    def run(self, folder, env, seconds=900, stays=False, **what):
        """Exit code, standard output and standard error of `argv=` or `code=` in `folder`."""
        out, err = folder / ".out", folder / ".err"
        said = {"cwd": str(folder), "env": env, "out": str(out), "err": str(err), "seconds": seconds, "stays": stays}
        self.process.stdin.write(json.dumps({**said, **what}) + "\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline())
        if stays:
            self.staying.append(reply["pid"])
            return 0, "", ""
        self.cpu += reply["cpu"]
        return reply["exit"], out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace")

    def rest(self):
        """End the commands that stayed."""
        for pid in self.staying:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self.staying.clear()

    def close(self):
        """End everything."""
        self.rest()
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def _become(asked):
    """In the child: the folder, environment and files of the request; then the command."""
    os.setsid()
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    for name, number in (("out", 1), ("err", 2)):
        file = os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, number)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if "code" in asked:
        sys.argv = ["-c"]
        sys.path.insert(0, asked["cwd"])
        exec(compile(asked["code"], "block", "exec"), {"__name__": "__main__"})
        return
    from evalkit.cli import main

    sys.argv = ["evalkit", *asked["argv"]]
    main()


def _status(asked):
    """The exit status of the command, as the interpreter makes it of what is raised."""
    try:
        _become(asked)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _leave(status):
    """End without taking all modules apart, which would copy the memory that is shared with the server."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _ended(pid, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found, status, used = os.wait4(pid, os.WNOHANG)
        if found:
            return {"exit": os.waitstatus_to_exitcode(status), "cpu": used.ru_utime + used.ru_stime}
        time.sleep(0.01)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return {"exit": LATE, "cpu": 0.0}


def _serve():
    for name in EARLY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    from evalkit.cli import VERBS

    for module, _ in VERBS.values():
        importlib.import_module(module)
    gc.freeze()  # else a collection in a child copies all of it
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _leave(_status(asked))
        said = {"pid": pid} if asked["stays"] else _ended(pid, asked["seconds"])
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[3])
    _serve()
