"""A Ray cluster: one actor for each GPU, or several on CPUs; actors and nodes may die."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import Any

from evalkit.errors import EvalkitError, MissingDependency
from evalkit.jobs.options import EngineOptions
from evalkit.jobs.pool import Crew, Event, Pool
from evalkit.jobs.remote_worker import Order, RemoteWorker, order_of
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Task

TELLING = "telling"  # Ray's concurrency group of messages to an actor in work
PATIENCE = 10.0  # seconds in which actors may close what they hold


class Ray(Pool):
    """The engine of actors; a cluster that this process started ends with it, another one stays."""

    def __init__(self, device: str = "auto", options: EngineOptions | None = None) -> None:
        super().__init__()
        self.device, self.options = device, options or EngineOptions()

    def hire(self, task: Task, spec: Spec, most: int) -> Crew:
        """As many actors as asked for, or as the cluster has GPUs, or CPUs; they may wait for a node to join."""
        ray = _ray()
        ours = not ray.is_initialized()
        if ours:
            _connect(ray, self.options.address)
        has = ray.cluster_resources()
        cpus = self.options.cpus_per_worker or 1
        gpus = self.options.gpus_per_worker
        if gpus is None:
            gpus = 1.0 if has.get("GPU") and self.device in ("auto", "cuda") else 0.0
        natural = has.get("GPU", 0) / gpus if gpus else has.get("CPU", 1) / cpus
        size = max(1, min(self.options.workers or int(natural), most))
        return Actors(ray, order_of(task, spec, self.device), size, cpus, gpus, ours=ours)


class Actors(Crew):
    """Ray actors. An output is fetched as soon as it is there, and its place in the object store is free again."""

    name = "ray"

    def __init__(self, ray: Any, order: Order, size: int, cpus: int, gpus: float, *, ours: bool) -> None:
        self.size = size
        self._ray, self._ours = ray, ours
        self._order = ray.put(order)
        wanted = {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        hearing = ray.remote(concurrency_groups={TELLING: 1})  # by a thread beside the one that works
        self._kind = hearing(RemoteWorker).options(**wanted)
        self._actors: dict[int, Any] = {}
        self._places: dict[Any, int] = {}  # of answers that are under way

    def start(self, place: int) -> None:
        """Ask the cluster for an actor; it may have to wait until there is room for it."""
        self._forget(place)
        actor = self._actors[place] = self._kind.remote(self._order)
        self._places[actor.open.remote()] = place

    def give(self, place: int, shard: Shard) -> None:
        """Calls of an actor are done in order; one that is busy hears of the shard at once, and can read it ahead."""
        if place in self._busy():
            self._actors[place].expect.options(concurrency_group=TELLING).remote(shard)
        self._places[self._actors[place].process.remote(shard)] = place

    def next(self) -> Event:
        """The first answer that is there."""
        (ready,), _ = self._ray.wait(list(self._places), num_returns=1)
        place = self._places.pop(ready)
        try:
            answer = self._ray.get(ready)
        except self._ray.exceptions.RayError as error:  # the actor, its process or its node is gone
            return Event(place, lost=_reason(error))
        if isinstance(answer, Exception):
            return Event(place, error=answer)
        return Event(place, output=answer if isinstance(answer, ShardOutput) else None)

    def close(self) -> None:
        """Let the actors close what they hold, then end them, and the cluster where it is ours."""
        with suppress(self._ray.exceptions.RayError):
            last = [actor.close.remote() for place, actor in self._actors.items() if place not in self._busy()]
            self._ray.wait(last, num_returns=len(last), timeout=PATIENCE) if last else None
        for place in list(self._actors):
            self._forget(place)
        if self._ours:
            self._ray.shutdown()

    def _busy(self) -> set[int]:
        return set(self._places.values())

    def _forget(self, place: int) -> None:
        self._places = {ref: other for ref, other in self._places.items() if other != place}
        if (actor := self._actors.pop(place, None)) is not None:
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(actor)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise MissingDependency("the engine ray", "ray") from None
    return ray


def _connect(ray: Any, address: str | None) -> None:
    """The cluster at `address`, at RAY_ADDRESS, or one of this machine that is started now."""
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    where = address or os.environ.get("RAY_ADDRESS")
    try:
        if where:
            ray.init(address=where, **quiet)
        else:
            ray.init(address="local", include_dashboard=False, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise EvalkitError(
            f"no Ray cluster answers at {where or 'this machine'} ({reason}). Start one with: ray start --head"
        ) from None


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:200]
