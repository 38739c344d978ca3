"""Blocks of images: read, brought to the square that all contenders work on, and marked once for many attacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.geometry import fit_square
from evalkit.images.loader import fitted
from evalkit.images.sample import ImageSet, Pixels, Sample
from evalkit.jobs.timers import Timers
from evalkit.watermark.identity import PREPARE
from evalkit.watermark.robustness.contenders import Contender
from evalkit.watermark.robustness.rows import EMBEDDING, MARKED, NOTHING, UNMARKED

BATCH = 16  # images that are marked and attacked together
SIZE = 32  # images of a block


@dataclass(frozen=True)
class Images:
    """Readable images of a block: their places in the listing, ids, sha256 of their sources, and squares."""

    positions: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    pixels: list[Pixels] = field(default_factory=list)

    def rows(self) -> Iterator[dict[str, Any]]:
        """What every row of an image begins with."""
        named = zip(self.ids, self.sources, self.positions, strict=True)
        return ({"id": id, "source_sha256": sha256, "position": at} for id, sha256, at in named)

    def part(self, some: slice) -> Images:
        """Some of them."""
        return Images(self.positions[some], self.ids[some], self.sources[some], self.pixels[some])


@dataclass(frozen=True)
class Block:
    """The images at `positions`: unmarked, and marked by each contender that can; `failed`: rows of what could not be."""

    positions: range
    plain: Images
    marked: Mapping[str, Images]
    failed: list[dict[str, Any]]


class Blocks:
    """Reads and marks blocks; `marked` holds images that carry the mark of the contender `given` already."""

    def __init__(
        self,
        data: ImageSet,
        marked: ImageSet | None,
        contenders: Mapping[str, Contender],
        *,
        given: str | None,
        limits: tuple[int, int],
        side: int,
        threads: int,
        timers: Timers,
    ) -> None:
        self.data, self.marked_data, self.contenders, self.given = data, marked, contenders, given
        self.limits, self.side, self.threads, self.timers = limits, side, threads, timers

    def made(self, positions: range) -> Block:
        """A block; images that cannot be read, and contenders that cannot mark, cost themselves only."""
        failed: list[dict[str, Any]] = []
        plain = self._squares(self.data, UNMARKED, positions, self.limits[0], failed)
        marked: dict[str, Images] = {}
        for name, contender in self.contenders.items():
            if name == self.given and self.marked_data is not None:
                marked[name] = self._squares(self.marked_data, MARKED, positions, self.limits[1], failed)
                continue
            try:
                with self.timers("mark"):
                    marked[name] = _marked(contender, plain)
            except EvalkitError as error:
                said = {"set": EMBEDDING, "contender": name, "attack": NOTHING, "error": str(error)}
                failed += [{**row, **said} for row in plain.rows()]
        return Block(positions, plain, marked, failed)

    def _squares(
        self, data: ImageSet, which: str, positions: range, limit: int, failed: list[dict[str, Any]]
    ) -> Images:
        found = Images()
        start, stop = min(positions.start, limit), min(positions.stop, limit)
        with self.timers("read"):
            squares = fitted(data.read(start, stop, threads=self.threads), self._square)
            for at, each in enumerate(squares, start=start):
                if not isinstance(each, Sample):
                    said = {"set": which, "attack": NOTHING, "error": each.reason}
                    failed.append({"id": each.id, "source_sha256": each.sha256, "position": at, **said})
                    continue
                found.positions.append(at)
                found.ids.append(each.id)
                found.sources.append(each.sha256)
                found.pixels.append(each.image)
        return found

    def _square(self, image: Pixels) -> Pixels:
        fits = image.shape[:2] == (self.side, self.side)
        return image if fits else fit_square(image, self.side, PREPARE)


def _marked(contender: Contender, plain: Images) -> Images:
    pixels: list[Pixels] = []
    for start in range(0, len(plain.ids), BATCH):
        some = slice(start, start + BATCH)
        pixels += contender.mark(plain.pixels[some], plain.ids[some])
    return Images(plain.positions, plain.ids, plain.sources, pixels)
