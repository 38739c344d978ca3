"""One shard of a view consistency: each view is matched with the next one of its sequence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from evalkit.images.sample import ImageSet, Sample, Unreadable
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.tsed import (
    TSED,
    Camera,
    Points,
    consistent,
    epipolar_distances,
    fundamental,
    matched,
    median_distance,
    sift_points,
)
from evalkit.tasks.views.cameras import camera_of
from evalkit.tasks.views.rows import MATCHES, MEDIAN, table

Seen = tuple[Sample | Unreadable, Points | None]


def sequence_of(id: str) -> str:
    """The folder of a view: views of one folder are one sequence, in the order of the set."""
    return str(PurePosixPath(id).parent)


class ViewWorker(Worker):
    """Holds the first `n` views and their cameras."""

    def __init__(self, images: ImageSet, n: int, cameras: Mapping[str, Camera], *, threads: int) -> None:
        self.images, self.n, self.cameras, self.threads = images, n, cameras, threads
        self.timers = Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in order; the view behind the shard's last one is read with it."""
        rows = []
        reader = self.images.read(shard.start, min(shard.stop + 1, self.n), threads=self.threads)
        one = self._seen(next(reader))
        for _ in range(shard.start, shard.stop):
            following = next(reader, None)
            other = None if following is None else self._seen(following)
            rows.append(self._row(one, other))
            tick(1)
            one = other if other is not None else one
        return ShardOutput(table(rows), seconds=self.timers.taken())

    def _seen(self, each: Sample | Unreadable) -> Seen:
        with self.timers("points"):
            return each, None if isinstance(each, Unreadable) else sift_points(each.image)

    def _row(self, one: Seen, other: Seen | None) -> dict[str, Any]:
        view = one[0]
        row: dict[str, Any] = {"id": view.id, "cluster": sequence_of(view.id), "sha256": view.sha256}
        if isinstance(view, Unreadable):
            return {**row, "error": view.reason}
        row |= {"height": int(view.image.shape[0]), "width": int(view.image.shape[1])}
        if other is None or sequence_of(other[0].id) != row["cluster"]:
            return row
        row["next"] = other[0].id
        with self.timers("match"):
            return {**row, **self._pair(one, other)}

    def _pair(self, one: Seen, other: Seen) -> dict[str, Any]:
        cameras = [camera_of(self.cameras, each[0].id) for each in (one, other)]
        if one[1] is None or other[1] is None:
            return {"error": f"the next view: {other[0].reason if isinstance(other[0], Unreadable) else ''}"}
        if cameras[0] is None or cameras[1] is None:
            return {"error": "it or the next view has no camera"}
        matrix = fundamental(cameras[0], cameras[1])
        if matrix is None:
            return {"error": "its camera is where the next one is"}
        distances = epipolar_distances(matrix, *matched(one[1], other[1]))
        return {
            MATCHES: len(distances),
            MEDIAN: median_distance(distances),
            TSED.name: float(consistent(distances)),
        }
