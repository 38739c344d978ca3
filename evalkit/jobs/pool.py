"""Workers outside this process: few shards each at a time, and what a lost worker held is done again by others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.progress import Progress
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Task
from evalkit.jobs.timers import Timers
from evalkit.runs.store import RunStore

DEPTH = 2  # shards that a worker holds: one in work, one at hand; more would only fill memory
TRIES = 3  # workers that a shard may end, before it is taken for the reason


@dataclass(frozen=True)
class Event:
    """What worker `place` says: it is open, it did the shard it was given first, it failed, or it is lost."""

    place: int
    output: ShardOutput | None = None
    error: Exception | None = None
    lost: str | None = None


class Crew(ABC):
    """Workers by place, each opened from the spec; it starts them, gives them shards and hears of them."""

    name: str
    size: int

    @abstractmethod
    def start(self, place: int) -> None:
        """Begin to open a worker; its first event says whether it is open."""

    @abstractmethod
    def give(self, place: int, shard: Shard) -> None:
        """Let a worker do one more shard after those that it holds."""

    @abstractmethod
    def next(self) -> Event:
        """The next event; the outputs of one worker come in the order of its shards."""

    @abstractmethod
    def close(self) -> None:
        """End all workers."""


@dataclass
class Held:
    """A worker's state: whether it is open, and its shards in order."""

    open: bool = False
    shards: deque[Shard] = field(default_factory=deque)


class Pool(ABC):
    """The engine over a crew, which stays between passes."""

    def __init__(self) -> None:
        self.timers = Timers()
        self._crew: Crew | None = None
        self._held: dict[int, Held] = {}
        self._lost = 0

    @abstractmethod
    def hire(self, task: Task, spec: Spec, most: int) -> Crew:
        """A crew of at most `most` workers for the spec."""

    def map(self, task: Task, spec: Spec, shards: Sequence[Shard], store: RunStore, progress: Progress) -> None:
        """Outputs are stored as they come; at most `DEPTH` of each worker are under way."""
        if not shards:
            return
        if self._crew is None:
            self._crew = self.hire(task, spec, len(shards))
            for place in range(self._crew.size):
                self._begin(self._crew, place)
        waiting, tries = deque(shards), Counter[str]()
        while waiting or any(held.shards for held in self._held.values()):
            self._feed(self._crew, waiting)
            event = self._crew.next()
            if event.error is not None:
                raise event.error
            if event.lost is not None:
                self._replace(self._crew, event, waiting, tries, progress)
            elif event.output is None:
                self._held[event.place].open = True
            else:
                shard = self._held[event.place].shards.popleft()
                with self.timers("store"):
                    store.put(shard.key, event.output)
                progress.advance(0 if shard.exhibit is not None else shard.size)
                progress.spent(event.output.seconds)

    def said(self) -> Mapping[str, Any]:
        """Name, number of workers, and how many were lost."""
        crew = self._crew
        return {"name": "none", "workers": 0} if crew is None else self._said(crew)

    def close(self) -> None:
        """End the workers."""
        crew, self._crew = self._crew, None
        self._held = {}
        if crew is not None:
            crew.close()

    def _said(self, crew: Crew) -> Mapping[str, Any]:
        return {"name": crew.name, "workers": crew.size, "lost": self._lost}

    def _begin(self, crew: Crew, place: int) -> None:
        self._held[place] = Held()
        crew.start(place)

    def _feed(self, crew: Crew, waiting: deque[Shard]) -> None:
        """One more shard for each open worker, then the next for each, so that the last shards are spread."""
        for depth in range(1, DEPTH + 1):
            for place, held in self._held.items():
                if waiting and held.open and len(held.shards) < depth:
                    held.shards.append(waiting.popleft())
                    crew.give(place, held.shards[-1])

    def _replace(
        self, crew: Crew, event: Event, waiting: deque[Shard], tries: Counter[str], progress: Progress
    ) -> None:
        """A new worker for a lost one, whose shards come first again."""
        held = self._held[event.place]
        doing = held.shards[0].key if held.shards else ""
        tries[doing] += 1
        if tries[doing] >= TRIES:
            what = f"the shard {doing}" if doing else "opening the models"
            raise EvalkitError(
                f"{what} ended its worker {TRIES} times ({event.lost}). Give a smaller --batch-size, or workers with "
                "more memory"
            )
        waiting.extendleft(reversed(held.shards))
        self._lost += 1
        progress.note(f"a worker was lost ({event.lost}); its {len(held.shards)} shards are done again")
        self._begin(crew, event.place)
