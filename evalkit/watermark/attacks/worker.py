"""One shard of an attack: some images under one attack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from evalkit.images.loader import PIXELS, batched
from evalkit.images.sample import ImageSet, Sample, Unreadable
from evalkit.jobs.aside import Aside
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.rows import attacked, failed, table


def _pixels(samples: Sequence[Sample | Unreadable]) -> int:
    return sum(each.image.shape[0] * each.image.shape[1] for each in samples if isinstance(each, Sample))


class AttackWorker(Worker):
    """Holds the attacks; the images of the last shard stay for the next attack on them."""

    def __init__(
        self,
        images: ImageSet,
        attacks: Sequence[Attack],
        names: Mapping[str, str],
        *,
        seed: int,
        batch: int,
        threads: int,
    ) -> None:
        self.images, self.attacks, self.names, self.seed, self.batch = images, attacks, names, seed, batch
        self.threads, self.timers, self.pool = threads, Timers(), ThreadPoolExecutor(threads)
        self._last: tuple[range, list[Sample | Unreadable]] = (range(0), [])
        self._loaded: Attack | None = None

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in listing order and files by their path; `start` and `stop` count images within their attack."""
        n = len(self.names)
        attack, start = self.attacks[shard.start // n], shard.start % n
        self._let_go_before(attack)
        rows, files = [], Aside()
        for each in self._chunks(range(start, start + shard.size), attack):
            good = [sample for sample in each if isinstance(sample, Sample)]
            with self.timers("attack"):
                done = iter(self._attacked(attack, good))
            for sample in each:
                row, data = next(done) if isinstance(sample, Sample) else (failed(attack, sample, sample.reason), b"")
                rows.append(row)
                if data:
                    files[str(row["path"])] = data
            tick(len(each))
            del each, good, sample, done  # no image is held while the next one is decoded
        return ShardOutput(table(rows), {}, files, self.timers.taken())

    def close(self) -> None:
        """Let go of models and threads."""
        self._let_go_before(None)
        self.pool.shutdown()

    def _attacked(self, attack: Attack, samples: Sequence[Sample]) -> list[tuple[dict[str, object], bytes]]:
        if attack.network:
            return attacked(attack, samples, self.names, self.seed)
        alone = self.pool.map(lambda sample: attacked(attack, [sample], self.names, self.seed)[0], samples)
        return list(alone)

    def _chunks(self, positions: range, attack: Attack) -> Iterator[list[Sample | Unreadable]]:
        """The images of a shard in batches; small ones of the shard before are read once for all attacks."""
        step = self.batch if attack.network else len(positions)
        if self._last[0] == positions:
            yield from (self._last[1][at : at + step] for at in range(0, len(positions), step))
            return
        self._last = (range(0), [])
        kept: list[Sample | Unreadable] = []
        whole = True
        batches = batched(self.images.read(positions.start, positions.stop, threads=self.threads), step)
        for batch in self.timers.over("read", batches):
            whole = whole and _pixels([*kept, *batch]) <= PIXELS
            kept = [*kept, *batch] if whole else []
            yield batch
        if len(kept) == len(positions):
            self._last = (positions, kept)

    def _let_go_before(self, attack: Attack | None) -> None:
        if self._loaded is not None and self._loaded is not attack:
            self._loaded.release()
        self._loaded = attack
