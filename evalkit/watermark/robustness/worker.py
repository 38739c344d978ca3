"""One shard of a robustness run: a block of images under one attack, marked and unmarked alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.watermark.attacks.base import Attack, seed_of
from evalkit.watermark.robustness.blocks import BATCH, Block, Blocks, Images
from evalkit.watermark.robustness.contenders import Contender, Floats
from evalkit.watermark.robustness.quality import Quality
from evalkit.watermark.robustness.rows import EMBEDDING, MARKED, NOTHING, UNMARKED, image_path, reason_of, table

Rows = list[dict[str, Any]]


class RobustnessWorker(Worker):
    """Holds contenders and attacks; the block of the last shard stays for the next attack on it."""

    def __init__(
        self,
        blocks: Blocks,
        contenders: Mapping[str, Contender],
        attacks: Sequence[Attack],
        quality: Quality,
        *,
        images: int,
        seed: int,
        timers: Timers,
    ) -> None:
        self.blocks, self.contenders, self.quality = blocks, contenders, quality
        self.attacks: list[Attack | None] = [None, *attacks]
        self.images, self.seed, self.timers = images, seed, timers
        self._block: Block | None = None
        self._loaded: Attack | None = None

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows by set, then contender; the images of the block as files where nothing is done to them."""
        attack, start = self.attacks[shard.start // self.images], shard.start % self.images
        self._let_go_before(attack)
        positions = range(start, start + shard.size)
        if self._block is None or self._block.positions != positions:
            self._block = self.blocks.made(positions)
        block = self._block
        rows = self._first_rows(block) if attack is None else []
        rows += self._rows(attack, UNMARKED, block.plain, list(block.marked))
        for name, images in block.marked.items():
            rows += self._rows(attack, MARKED, images, [name])
        files = self._files(block) if attack is None else {}
        tick(shard.size)
        return ShardOutput(table(rows), {}, files, self.timers.taken())

    def close(self) -> None:
        """Let go of models."""
        self._let_go_before(None)

    def _let_go_before(self, attack: Attack | None) -> None:
        if self._loaded is not None and self._loaded is not attack:
            self._loaded.release()
        self._loaded = attack

    def _first_rows(self, block: Block) -> Rows:
        """What could not be read or marked, and what marking itself cost."""
        rows = list(block.failed)
        for name, images in block.marked.items():
            if name == self.blocks.given:
                continue
            for before, after in zip(_parts(block.plain), _parts(images), strict=True):
                with self.timers("quality"):
                    costs = self.quality.measure(before.pixels, after.pixels)
                said = {"set": EMBEDDING, "contender": name, "attack": NOTHING}
                rows += [{**row, **said, **cost} for row, cost in zip(after.rows(), costs, strict=True)]
        return rows

    def _files(self, block: Block) -> dict[str, bytes]:
        with self.timers("write"):
            return {
                image_path(name, position): png_bytes(pixels)
                for name, images in {UNMARKED: block.plain, **block.marked}.items()
                for position, pixels in zip(images.positions, images.pixels, strict=True)
            }

    def _rows(self, attack: Attack | None, which: str, images: Images, names: Sequence[str]) -> Rows:
        """Rows of one set for the contenders `names`; an attack that fails leaves its reason in all of them."""
        rows: Rows = []
        said = {"set": which, "attack": NOTHING if attack is None else attack.name}
        for part in _parts(images):
            common = [{**row, **said} for row in part.rows()]
            try:
                rows += self._scored(attack, part, common, names, marked=which == MARKED)
            except (EvalkitError, RuntimeError, ValueError, OSError) as error:
                rows += [{**row, "contender": name, "error": reason_of(error)} for name in names for row in common]
        return rows

    def _scored(self, attack: Attack | None, part: Images, common: Rows, names: Sequence[str], *, marked: bool) -> Rows:
        with self.timers("attack"):
            after = self._attacked(attack, part)
        with self.timers("quality"):
            costs = self.quality.measure(part.pixels, after) if marked else [{}] * len(after)
        rows: Rows = []
        for name in names:
            with self.timers("score"):
                found: Floats = self.contenders[name].log_p(after)
            rows += [
                {**row, "contender": name, "log_p": float(log_p), **cost}
                for row, log_p, cost in zip(common, found, costs, strict=True)
            ]
        return rows

    def _attacked(self, attack: Attack | None, part: Images) -> list[Pixels]:
        """Images as they come out of the attack's files."""
        if attack is None:
            return part.pixels
        return [
            decode_image(each.data) for each in attack.files(part.pixels, [seed_of(self.seed, i) for i in part.ids])
        ]


def _parts(images: Images) -> Iterator[Images]:
    for start in range(0, len(images.ids), BATCH):
        yield images.part(slice(start, start + BATCH))
