"""A task's worker in another process: opened from plain data, it never raises but answers."""

from __future__ import annotations

import importlib
import os
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Task, Worker

Answer = ShardOutput | Exception | None


@dataclass(frozen=True)
class Order:
    """All that is sent: the task's name and module, the spec, the device, and the folder that relative paths mean."""

    task: str
    module: str
    spec: Spec
    device: str
    folder: str


def order_of(task: Task, spec: Spec, device: str) -> Order:
    """What another process needs to open the worker."""
    return Order(task.name, type(task).__module__, spec, device, os.getcwd())


class RemoteWorker:
    """Opens the worker of an order, and does shards; an error is an answer, which its process outlives."""

    def __init__(self, order: Order, upcoming: Callable[[], Shard | None] | None = None) -> None:
        self.order, self._upcoming = order, upcoming or self._told
        self._worker: Worker | None = None
        self._doing: Shard | None = None
        self._expected: Shard | None = None

    def open(self) -> Answer:
        """None, or why the worker cannot be opened."""
        try:
            if os.path.isdir(self.order.folder):
                os.chdir(self.order.folder)
            importlib.import_module(self.order.module)  # registers the task
            self._worker = TASKS.get(self.order.task).open(self.order.spec, self.order.device)
            self._worker.upcoming = self._upcoming
        except Exception as error:  # of any kind: the driver says it
            return _sendable(error)
        return None

    def process(self, shard: Shard) -> Answer:
        """The shard's output, or why there is none."""
        if self._worker is None:
            return RuntimeError("the worker is not open")
        self._doing = shard
        try:
            return self._worker.process(shard, lambda done: None)
        except Exception as error:
            return _sendable(error)

    def expect(self, shard: Shard) -> None:
        """Say, from another thread, which shard comes after the one in work."""
        self._expected = shard

    def _told(self) -> Shard | None:
        """The shard that was said to come; one that is late, and in work by now, is none."""
        return None if self._expected == self._doing else self._expected

    def close(self) -> None:
        """Give back what the worker holds outside its process."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def _sendable(error: Exception) -> Exception:
    """The error itself where it can be sent, else its text; with it goes where it was raised."""
    text = "".join(traceback.format_exception(error)).rstrip()
    try:
        sent: Exception = pickle.loads(pickle.dumps(error))
    except Exception:  # an exception's own code may raise anything
        sent = RuntimeError(f"{type(error).__name__}: {error}")
    sent.add_note(f"raised in a worker:\n{text}")
    return sent
