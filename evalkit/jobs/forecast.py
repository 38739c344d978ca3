"""What a run of any size will cost, from pilots of the same command: time, memory, disk, and what it will be bound by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.errors import EvalkitError
from evalkit.jobs.timers import START, longest
from evalkit.metrics.prdc import DECLARED as MANIFOLDS
from evalkit.metrics.vendi import DECLARED as VENDI

ONCE = frozenset({"open", START})  # stages whose time the number of images does not change
ALONE = frozenset({"aggregate", "store"})  # stages of the driver, which more workers do not shorten
SQUARE = ("prdc", *(each.name for each in (*MANIFOLDS, *VENDI)))  # they compare every image with every other
BRIEF = 0.5  # CPU seconds by which the start of a process differs from one to the next
NOISE = 64 * 2**20  # bytes by which memory differs from one process to the next


@dataclass(frozen=True)
class Pilot:
    """One measured run: images, wall seconds of the process, seconds by stage, peak memory, bytes that it left.

    `cpu`: seconds of all its threads. `rows`: bytes of rows and arrays, which an aggregation may hold at once.
    `files`: other files. `gpu`: whether a GPU was used. `square`: whether metrics compare all images with all.
    """

    n: int
    wall: float
    stages: Mapping[str, float]
    memory: int
    disk: int
    cpu: float = 0.0
    rows: int = 0
    files: int = 0
    gpu: bool = False
    square: bool = False


@dataclass(frozen=True)
class Forecast:
    """The cost of `n` images: seconds, bytes at the peak, bytes left, hours of CPUs and GPUs, and the longest stage."""

    n: int
    seconds: float
    memory: float
    disk: float
    cpu_hours: float
    gpu_hours: float
    bound: str
    stages: Mapping[str, float] = field(repr=False)


@dataclass(frozen=True)
class Machines:
    """Who will do it: workers, and the images per second that another device does in stages named here."""

    workers: int = 1
    rates: Mapping[str, float] = field(default_factory=dict)


def forecast(pilots: Sequence[Pilot], sizes: Sequence[int], machines: Machines | None = None) -> list[Forecast]:
    """The cost of each size, from at least two pilots of different size; the two largest count, of CPUs the smallest too.

    A stage is a line through both pilots; an aggregation that compares all images with all grows with the square of
    their number. Raises `EvalkitError` where the pilots are too few.

    >>> small, large = Pilot(10, 3.0, {"model": 2.0}, 10**8, 1000), Pilot(20, 5.0, {"model": 4.0}, 10**8, 2000)
    >>> forecast([small, large], [1000])[0].seconds
    201.0
    """
    ordered = sorted(pilots, key=lambda each: each.n)
    used = ordered[-2:]
    if len(used) < 2 or used[0].n == used[1].n:
        raise EvalkitError("a forecast needs runs of two sizes. Give data with more images, or a larger --limit")
    return [_at(n, ordered[0], used[0], used[1], machines or Machines()) for n in sizes]


def uncertainty(pilots: Sequence[Pilot]) -> float | None:
    """By what share of its seconds the largest pilot differs from its forecast by the two before it.

    None where there are fewer than three. More images than the pilots had may add what no pilot shows.

    >>> pilots = [Pilot(n, 1.0 + n * 0.5, {"model": n * 0.5}, 10**8, 0) for n in (16, 48, 144)]
    >>> uncertainty(pilots)
    0.0
    """
    *before, last = sorted(pilots, key=lambda each: each.n)
    if len(before) < 2:
        return None
    return abs(forecast(before, [last.n])[0].seconds - last.wall) / last.wall


def _at(n: int, least: Pilot, small: Pilot, large: Pilot, machines: Machines) -> Forecast:
    a, b = _with_rest(small), _with_rest(large)
    stages = {name: _stage(name, n, (small, a), (large, b), machines) for name in sorted({*a, *b})}
    stages |= {name: n / rate / machines.workers for name, rate in machines.rates.items()}
    seconds = sum(stages.values())
    return Forecast(
        n,
        seconds,
        _memory(n, small, large),
        _disk(n, small, large),
        _cpu(n, least, large, b) / 3600,
        seconds * machines.workers / 3600 if large.gpu or machines.rates else 0.0,
        longest(stages) or START,
        stages,
    )


def _with_rest(pilot: Pilot) -> dict[str, float]:
    """Stages, and as start-up what the process took besides: its imports, its plan, its page."""
    counted = sum(pilot.stages.values())
    scale = min(1.0, pilot.wall / counted) if counted else 1.0  # stages of threads overlap
    shown = {name: seconds * scale for name, seconds in pilot.stages.items()}
    return {**shown, START: shown.get(START, 0.0) + max(0.0, pilot.wall - sum(shown.values()))}


def _stage(
    name: str,
    n: int,
    small: tuple[Pilot, Mapping[str, float]],
    large: tuple[Pilot, Mapping[str, float]],
    machines: Machines,
) -> float:
    points = [(pilot.n, stages.get(name, 0.0)) for pilot, stages in (small, large)]
    if name in ONCE:
        return sum(seconds for _, seconds in points) / 2
    if name == "aggregate" and large[0].square:
        points = [(each**2, seconds) for each, seconds in points]
        return max(points[1][1], _line(n**2, *points))
    return max(0.0, _line(n, *points)) / (1 if name in ALONE else machines.workers)


def _cpu(n: int, least: Pilot, large: Pilot, stages: Mapping[str, float]) -> float:
    """Seconds of CPUs: as measured, or where too little was done to tell it from the start, as the stages took.

    Of the stages that share counts which the process had of a CPU, for others may have used the machine.
    """
    if large.cpu - least.cpu > BRIEF:
        return _line(n, (least.n, least.cpu), (large.n, large.cpu))
    share = min(1.0, large.cpu / large.wall) if large.wall else 1.0
    each = share * sum(seconds for name, seconds in stages.items() if name not in ONCE) / large.n
    return large.cpu + each * (n - large.n)


def _line(n: int, small: tuple[int, float], large: tuple[int, float]) -> float:
    """The value at `n` of the line through two points, never falling with `n`."""
    slope = max(0.0, (large[1] - small[1]) / (large[0] - small[0]))
    return large[1] + slope * (n - large[0])


def _disk(n: int, small: Pilot, large: Pilot) -> float:
    """Bytes left: rows grow with the images; other files do where each further image left about as many as the first ones.

    The first ones had the run's own few files besides. A size below the large pilot's lies on the line in any case: a page
    grows with its first images.
    """
    rows = _line(n, (small.n, small.rows), (large.n, large.rows))
    alike = (large.files - small.files) / (large.n - small.n) >= 0.5 * small.files / small.n
    points = (small.n, small.disk - small.rows), (large.n, large.disk - large.rows)
    return rows + (max(0.0, _line(n, *points)) if alike or n < large.n else points[1][1])


def _memory(n: int, small: Pilot, large: Pilot) -> float:
    """Peak bytes: the pilot's, and more for each image as measured where that is no noise, else as rows are large."""
    grown = large.memory - small.memory
    slope = grown / (large.n - small.n) if grown > NOISE else large.rows / large.n
    return large.memory + slope * max(0, n - large.n)


def duration_text(seconds: float) -> str:
    """A duration as a person says it.

    >>> duration_text(42.4), duration_text(5400), duration_text(200_000)
    ('43 s', '1.5 h', '2.3 days')
    """
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{math.ceil(seconds) if seconds >= 10 else round(seconds, 1):g} s"


def bytes_text(size: float) -> str:
    """A number of bytes as a person says it.

    >>> bytes_text(1_500_000), bytes_text(2.4e12)
    ('1.5 MB', '2.4 TB')
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1e3:.1f} kB"
