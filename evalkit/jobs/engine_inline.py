"""The engine maps a job's shards to a worker in this process; what is done already is not done again."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.jobs.job import Job, Progress, RunOptions, Shard
from evalkit.runs.store import Run, RunStore, read_run

PAGE = "report.html"


def run_job(job: Job, store: RunStore, options: RunOptions) -> Run:
    """Do what is not done yet, then reduce and seal; a sealed run is read back at once.

    Typing the same command again resumes: finished shards are kept, the others are done.
    """
    progress = options.progress
    if store.sealed:
        store.begin(job.plan())
        progress.note(f"{store.path} is complete already; nothing to do (remove it, or give --out, to run again)")
        return _shown(job, store)
    store.begin(job.plan())
    shards = job.shards()
    left = [shard for shard in shards if not store.has(shard.key)]
    progress.start(job.title, sum(shard.size for shard in shards))
    progress.advance(sum(s.size for s in shards) - sum(s.size for s in left), resumed=True)
    try:
        _inline(job, left, store, options, progress)
        job.reduce(store)
        return _shown(job, store)
    finally:
        progress.finish()


def _shown(job: Job, store: RunStore) -> Run:
    """The sealed run with its page, which the record lists too."""
    job.present(read_run(store.path))
    store.cover(PAGE)
    return read_run(store.path)


def _inline(job: Job, left: Sequence[Shard], store: RunStore, options: RunOptions, progress: Progress) -> None:
    if not left:
        return
    worker = job.worker(options.device)
    for shard in left:
        store.put(shard.key, worker.process(shard, lambda n: progress.advance(n, timers=job.timers)))
