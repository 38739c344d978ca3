"""Engines map a job's shards to workers: `inline` in this process, `ray` with one actor a device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evalkit.errors import MissingDependency
from evalkit.runs.job import Job, Progress, RunOptions, Shard
from evalkit.runs.store import Run, RunStore, read_run


def run_job(job: Job, store: RunStore, options: RunOptions) -> Run:
    """Do what is not done yet, then reduce and seal; a sealed run is read back at once.

    Typing the same command again resumes: finished shards are kept, the others are done.
    """
    progress = options.progress
    if store.sealed:
        store.begin(job.plan())
        progress.note(f"{store.path} is complete already; nothing to do (remove it, or give --out, to run again)")
        run = read_run(store.path)
        job.present(run)
        return run
    store.begin(job.plan())
    shards = job.shards()
    left = [shard for shard in shards if not store.has(shard.key)]
    progress.start(job.title, sum(shard.size for shard in shards))
    progress.advance(sum(s.size for s in shards) - sum(s.size for s in left), resumed=True)
    try:
        ENGINES[options.engine](job, left, store, options, progress)
        run = job.reduce(store)
        job.present(run)
        return run
    finally:
        progress.finish()


def _inline(job: Job, left: Sequence[Shard], store: RunStore, options: RunOptions, progress: Progress) -> None:
    if not left:
        return
    worker = job.worker(options.device)
    for shard in left:
        store.put(shard.key, worker.process(shard, lambda n: progress.advance(n, timers=job.timers)))


def _ray(job: Job, left: Sequence[Shard], store: RunStore, options: RunOptions, progress: Progress) -> None:
    try:
        import ray
    except ImportError:
        raise MissingDependency("--engine ray", "ray") from None
    ray.init(ignore_reinit_error=True, log_to_driver=False)
    gpus = int(ray.cluster_resources().get("GPU", 0))
    actors = gpus or max(1, int(ray.cluster_resources().get("CPU", 1)))

    @ray.remote(num_gpus=1 if gpus else 0, max_restarts=-1, max_task_retries=-1)  # type: ignore[untyped-decorator]
    class Actor:
        def __init__(self) -> None:
            self.worker = job.worker("cuda" if gpus else options.device)

        def do(self, shard: Shard) -> int:
            store.put(shard.key, self.worker.process(shard, lambda n: None))
            return shard.size

    pool = ray.util.ActorPool([Actor.remote() for _ in range(min(actors, max(1, len(left))))])
    for size in pool.map_unordered(lambda actor, shard: actor.do.remote(shard), list(left)):
        progress.advance(size)


ENGINES: dict[str, Callable[[Job, Sequence[Shard], RunStore, RunOptions, Progress], Any]] = {
    "inline": _inline,
    "ray": _ray,
}
