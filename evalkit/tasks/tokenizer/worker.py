"""One shard of a tokenizer's evaluation: read, feed, encode, decode, score."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from operator import itemgetter
from typing import Any

from evalkit.images.geometry import Resize
from evalkit.images.loader import TOO_LARGE, worked_ahead
from evalkit.images.sample import ImageSet, Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Shares, Timers
from evalkit.tasks.tokenizer.direct import Direct
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tasks.tokenizer.finish import Done, Fed, Finish, Key
from evalkit.tasks.tokenizer.gather import Gathered, Passed
from evalkit.tasks.tokenizer.keep import files_of, made_again
from evalkit.tasks.tokenizer.output import Output, Way
from evalkit.tasks.tokenizer.pixels import Feed
from evalkit.tasks.tokenizer.reading import Reading
from evalkit.tasks.tokenizer.rows import table
from evalkit.tokenizers.base import PixelTokenizer, Tokenizer
from evalkit.tokenizers.cards import tokenizer_cards

BATCH_PIXELS = 2**25  # decoded pixels from which a batch is full
LATE_PIXELS = 2**23  # decoded pixels up to which a batch is finished while the model works on the next one
BY_TENSORS = frozenset({"survival", "shift"})  # tasks that need the model's own tensors
Ready = Done | Fed | None  # what is known of an image when its batch is complete: all, its input, or nothing
Batch = list[tuple[Sample | Unreadable, Ready]]


class ReconstructionWorker(Worker):
    """Holds the tokenizer and the evaluator networks; `process` gives rows, features and code counts of a shard.

    Codecs work where images are read, in several threads. A network's outputs are scored in threads while it works on
    the next batch.
    """

    def __init__(
        self,
        images: ImageSet,
        model: Tokenizer,
        feeds: Sequence[Feed],
        evaluators: Evaluators,
        *,
        batch_size: int,
        threads: int,
        seed: int,
        keep_all: bool,
    ) -> None:
        self.images, self.model, self.feeds, self.evaluators = images, model, feeds, evaluators
        self.batch_size, self.threads, self.timers = batch_size, threads, Timers()
        self.direct = direct_of(model, evaluators.tasks)
        resize = None if self.direct is not None else resize_of(model)
        self.finish = Finish(feeds, evaluators, keep_all=keep_all, resize=resize)
        self.reading = Reading(images, self._ready, threads, self.timers)
        self.way = partial(way_of, model, batch_size=batch_size, seed=seed, timers=self.timers)
        self.forward: Way = self.direct or self.way(evaluators.tasks)
        self._pool = ThreadPoolExecutor(threads) if self.direct is None and threads > 1 else None

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in sample order (protocols inside), arrays `<protocol>|<what>`, images when all are kept."""
        if shard.exhibit is not None:
            return self._exhibit(shard.exhibit["entries"], tick)
        gathered = Gathered(shard.start, self.feeds, self.evaluators, self.model.vocab_size, self.timers)
        for passed in self._passed(shard):
            gathered.add(passed)
            tick(len(passed))
            del passed  # no image is held while the next one is decoded
        found = self.evaluators
        judges = {"weights": found.weights, "unavailable": found.unavailable}
        return gathered.output({"model": model_state(self.model), "judges": judges})

    def close(self) -> None:
        """End the threads."""
        self.reading.close()
        if self._pool is not None:
            self._pool.shutdown()

    def _exhibit(self, entries: Sequence[Mapping[str, Any]], tick: Tick) -> ShardOutput:
        """Files of the hardest hit images, made again in listing order, and their index."""
        self.reading.close()  # whose last image would be held meanwhile
        positions = sorted({each["position"] for each in entries})
        way = self.direct or self.way(frozenset())
        again = partial(made_again, way, self.feeds[0])
        with self.timers("images kept"):
            read = (next(self.images.read(at, at + 1, threads=1)) for at in positions)  # a large one waits for its turn
            pairs = worked_ahead(read, again, 1 if self.direct is None else self.threads)
            made = dict(zip(positions, map(itemgetter(1), pairs), strict=True))
        tick(len(entries))
        return ShardOutput(table([]), {}, files_of(entries, made), self.timers.taken())

    def _passed(self, shard: Shard) -> Iterator[list[Passed]]:
        """Batches of the shard with what became of their images."""
        shares = Shares(self.timers)
        waiting: deque[list[tuple[Sample | Unreadable, Future[Done] | Done | None]]] = deque()
        for batch in self._told(self._batches(shard, shares)):
            waiting.append(self._through(batch, shares))
            late = 1 if self._pool is not None and _pixels(batch) <= LATE_PIXELS else 0
            del batch
            while len(waiting) > late:
                yield [(each, _settled(done, shares)) for each, done in waiting.popleft()]
        while waiting:
            yield [(each, _settled(done, shares)) for each, done in waiting.popleft()]
        shares.close()

    def _told(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches; where the model gains by it, it is told of each before it works on the one before."""
        if not self.forward.looks_ahead:
            yield from batches
            return
        before: Batch | None = None
        for batch in batches:
            if before is not None:
                self._begin(batch)
                yield before
            before = batch
        if before is not None:
            yield before

    def _begin(self, batch: Batch) -> None:
        if _pixels(batch) <= LATE_PIXELS:
            fed = [ready for _, ready in batch if isinstance(ready, Mapping)]
            for key, feed in self.finish.ways.items():
                self.forward.begin([each[key] for each in fed if each[key].size], feed)

    def _batches(self, shard: Shard, shares: Shares) -> Iterator[Batch]:
        left = min(shard.stop, len(self.images)) - shard.start
        with self.reading(shard, self.upcoming) as reader:
            while left > 0:
                batch: Batch = []
                with shares.waiting():
                    while len(batch) < min(self.batch_size, left) and _pixels(batch) < BATCH_PIXELS:
                        batch.append(_read(next(reader), shares))
                left -= len(batch)
                yield batch
                del batch  # no image is held while the next one is decoded

    def _ready(self, each: Sample | Unreadable, timers: Timers) -> tuple[Ready, Mapping[str, float]]:
        """What is done of an image where images are read, and the seconds of its stages."""
        ready: Ready = None
        if isinstance(each, Sample) and self.direct is not None:
            ready = self.finish.directly(each, self.direct, timers)
        elif isinstance(each, Sample):
            with timers("prepare"):
                ready = self.finish.fed(each)
        return ready, timers.seconds

    def _through(self, batch: Batch, shares: Shares) -> list[tuple[Sample | Unreadable, Future[Done] | Done | None]]:
        """The batch through the network, and its outputs on their way to be scored."""
        if self.direct is not None:
            return [(each, ready if isinstance(ready, Done) else None) for each, ready in batch]
        fed = [ready for _, ready in batch if isinstance(ready, Mapping)]
        made: dict[Key, Iterator[Output]] = {}
        for key, feed in self.finish.ways.items():
            made[key] = iter(self.forward([each[key] for each in fed if each[key].size], feed))
        found: list[tuple[Sample | Unreadable, Future[Done] | Done | None]] = []
        for each, ready in batch:
            if not isinstance(each, Sample) or not isinstance(ready, Mapping):
                found.append((each, None))
                continue
            outputs = {key: next(mine) if ready[key].size else Output(reason=TOO_LARGE) for key, mine in made.items()}
            if self._pool is None:
                with shares.waiting():
                    found.append((each, self.finish(each, ready, outputs)))
            else:
                found.append((each, self._pool.submit(self.finish, each, ready, outputs)))
        return found


def direct_of(model: Tokenizer, tasks: frozenset[str]) -> Direct | None:
    """A codec's own way, where no task asks for its tensors."""
    return Direct(model) if isinstance(model, PixelTokenizer) and not tasks & BY_TENSORS else None


def resize_of(model: Tokenizer) -> Resize:
    """Who brings images to a network's size."""
    from evalkit.encoders.pillow_filter import DeviceResize  # imports torch, which codecs do without

    return DeviceResize(getattr(model, "device", "cpu"))


def way_of(model: Tokenizer, tasks: frozenset[str], *, batch_size: int, seed: int, timers: Timers) -> Way:
    """A network's way."""
    from evalkit.tasks.tokenizer.forward import Forward  # imports torch, which codecs do without

    return Forward(model, tasks, batch_size=batch_size, seed=seed, timers=timers)


def _read(
    found: tuple[Sample | Unreadable, tuple[Ready, Mapping[str, float]]], shares: Shares
) -> tuple[Sample | Unreadable, Ready]:
    """An image with what is done of it; the seconds that others spent on it are counted."""
    each, (ready, seconds) = found
    shares.add(seconds)
    return each, ready


def _settled(done: Future[Done] | Done | None, shares: Shares) -> Done | None:
    """The result, when it is there."""
    if isinstance(done, Future):
        with shares.waiting():
            done = done.result()
    if done is not None:
        shares.add(done.seconds)
    return done


def _pixels(batch: Batch) -> int:
    return sum(each.image.size // 3 for each, _ in batch if isinstance(each, Sample))


def model_state(model: Tokenizer) -> dict[str, Any]:
    """What a record says of the loaded tokenizer."""
    card = tokenizer_cards().get(model.name)
    return {
        "name": model.name,
        "title": card.title if card else model.name,
        "weights_sha256": model.weights_sha256,
        "device": str(getattr(model, "device", "cpu")),
        "dtype": str(getattr(model, "dtype", "float32")).removeprefix("torch."),
        "deterministic": model.deterministic,
        "vocab_size": model.vocab_size,
        "card": {} if card is None else {k: v for k, v in vars(card).items() if isinstance(v, str | int | float)},
    }
