"""Storing the output of one shard while the next one is in work."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from evalkit.jobs.shard import ShardOutput
from evalkit.runs.store import RunStore


class Behind:
    """Puts outputs in a thread, in order, of which one may wait; a kill meanwhile costs that shard.

    Outputs with files may be large, and are stored before the next shard begins.
    """

    def __init__(self, store: RunStore) -> None:
        self._store, self._pool = store, ThreadPoolExecutor(1, thread_name_prefix="evalkit-store")
        self._last: Future[None] | None = None

    def put(self, key: str, output: ShardOutput) -> None:
        """Store a shard's output soon; raises what storing the one before raised."""
        self.settle()
        if output.files:
            self._store.put(key, output)
        else:
            self._last = self._pool.submit(self._store.put, key, output)

    def settle(self) -> None:
        """Wait until all is stored."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was given is stored, whatever happened since."""
        self._pool.shutdown()
