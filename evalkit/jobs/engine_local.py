"""Processes of this machine: one for each GPU, or several on its CPUs."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import cast

from evalkit.jobs.options import EngineOptions
from evalkit.jobs.pool import Crew, Event, Pool
from evalkit.jobs.remote_worker import Order, RemoteWorker, order_of
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Task

PATIENCE = 10.0  # seconds in which a worker may end by itself


class Local(Pool):
    """The engine of processes that start from nothing but the spec."""

    def __init__(self, device: str = "auto", options: EngineOptions | None = None) -> None:
        super().__init__()
        self.device, self.options = device, options or EngineOptions()

    def hire(self, task: Task, spec: Spec, most: int) -> Crew:
        """As many processes as asked for, or as the machine has GPUs, or CPUs."""
        gpus = visible_gpus(self.device)
        share = self.options.gpus_per_worker if self.options.gpus_per_worker is not None else 1.0
        cpus = os.cpu_count() or 1
        each = self.options.cpus_per_worker
        natural = int(len(gpus) / share) if gpus and share else cpus // (each or 1)
        size = max(1, min(self.options.workers or natural, most))
        threads = each or max(1, cpus // size)
        settings = [_settings(place, gpus, share, threads) for place in range(size)]
        return Processes(order_of(task, spec, self.device), settings)


class Processes(Crew):
    """Spawned processes, each with a pipe of its own."""

    name = "local"

    def __init__(self, order: Order, settings: list[Mapping[str, str]]) -> None:
        self.size = len(settings)
        self._order, self._settings = order, settings
        self._all: dict[int, tuple[BaseProcess, Connection]] = {}

    def start(self, place: int) -> None:
        """Spawn the process at `place`, in its environment."""
        self._end(place, 0.0)
        context = multiprocessing.get_context("spawn")
        mine, its = context.Pipe()
        process = context.Process(target=_serve, args=(its, pickle.dumps(self._order)), daemon=True)
        with _environment(self._settings[place]):
            process.start()
        its.close()
        self._all[place] = (process, mine)

    def give(self, place: int, shard: Shard) -> None:
        """Send the shard; that a process is gone shows when it is heard."""
        with suppress(OSError):
            self._all[place][1].send(shard)

    def next(self) -> Event:
        """What the first process to speak says."""
        pipes = {pipe: place for place, (_, pipe) in self._all.items()}
        pipe = cast(Connection, wait(list(pipes))[0])
        place = pipes[pipe]
        try:
            answer = pipe.recv()
        except (EOFError, OSError):
            process = self._all[place][0]
            process.join(PATIENCE)
            return Event(place, lost=f"its process ended with code {process.exitcode}")
        if isinstance(answer, Exception):
            return Event(place, error=answer)
        return Event(place, output=answer if isinstance(answer, ShardOutput) else None)

    def close(self) -> None:
        """Let the processes end, and end those that do not."""
        for _, pipe in self._all.values():
            with suppress(OSError):
                pipe.send(None)
        for place in list(self._all):
            self._end(place, PATIENCE)

    def _end(self, place: int, patience: float) -> None:
        if place not in self._all:
            return
        process, pipe = self._all.pop(place)
        process.join(patience)
        if process.is_alive():
            process.kill()
            process.join()
        pipe.close()


def visible_gpus(device: str) -> list[str]:
    """The GPUs that this process may use, by the names of CUDA_VISIBLE_DEVICES."""
    if device not in ("auto", "cuda"):
        return []
    import torch

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(number) for number in range(count)]


def _settings(place: int, gpus: list[str], share: float, threads: int) -> Mapping[str, str]:
    said = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))}
    if gpus:
        said["CUDA_VISIBLE_DEVICES"] = gpus[int(place * share) % len(gpus)]
    return said


@contextmanager
def _environment(said: Mapping[str, str]) -> Iterator[None]:
    """The environment of a process that starts within, which some libraries read only as they are loaded."""
    before = {name: os.environ.get(name) for name in said}
    os.environ.update(said)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _serve(pipe: Connection, order: bytes) -> None:
    """The life of a process: it opens, answers shard by shard, and ends with its driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's
    given = Given(pipe)
    worker = RemoteWorker(pickle.loads(order), given.upcoming)
    with suppress(EOFError, OSError):
        pipe.send(worker.open())
        while (shard := given.next()) is not None:
            pipe.send(worker.process(shard))
    worker.close()


class Given:
    """The shards that the driver gave to a process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._held = pipe, deque[Shard | None]()

    def next(self) -> Shard | None:
        """The next shard, waited for; None where there is none any more."""
        return self._held.popleft() if self._held else cast(Shard | None, self._pipe.recv())

    def upcoming(self) -> Shard | None:
        """The shard behind the one in work, where it is here already."""
        if not self._held and self._pipe.poll():
            self._held.append(self._pipe.recv())
        return self._held[0] if self._held else None
