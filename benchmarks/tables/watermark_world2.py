"""What a soft bias of world-ar2 (the second world) finds and costs: a curve over delta and `--until`, images as PNG files.

Marked images are compared with unmarked ones of the same captions and seeds; each round has seeds and a key of its own.
For each delta and until: how many marked images are found at FPR 1e-2 and 1e-3 by the exact p, and by the larger of the
exact p and the calibrated one (unmarked images of other captions); how many unmarked images are called, with the rounds'
keys and on average over 200 others; the share of images that show what their caption demands, and what of it is lost
(paired, interval over captions); and the Frechet distance of efficientnet-lite0 features to other unmarked images, as a
multiple of that between two sets of unmarked images. Delta 0 is the unmarked model with the seeds of another round.

Run: python benchmarks/tables/watermark_world2.py [--only 4:1e-6] [--weights FOLDER]
adds the rows that watermark-world2.csv lacks, and prints the table of docs/watermark.md (--write puts it there). Unmarked
images are kept in runs/watermark-world2 by weights, so a run that is stopped goes on where it was. For other weights, remove
the CSV first.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from second_world import SecondWorld
from watermark_world import OUT, decided, read, shares, write

from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.metrics.frechet import frechet_distance_of_features
from evalkit.stats.paired import paired_difference
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.world.judge import verdict
from evalkit.world.second.detector import detect_all
from evalkit.world.second.prompts import second_prompts

PAGE = OUT.parents[1] / "docs" / "watermark.md"
KEYS, LIMIT, MOST, REFERENCE = 200, np.log(1e-3), 600, 100  # the last: a round that nothing else has
Set = Mapping[str, npt.NDArray[Any]]  # codes [n, N] chosen and read, right [n], features [n, d]


@dataclass(frozen=True)
class Cell:
    """A row: delta and until ("" never stops), with rounds of so many images."""

    delta: float
    until: str
    rounds: int = 1
    images: int = 250


CELLS = (
    Cell(0, ""), Cell(1, ""), Cell(2, ""), Cell(4, ""), Cell(6, ""),
    Cell(3, "1e-4"), Cell(1, "1e-6"), Cell(2, "1e-6"), Cell(3, "1e-6"), Cell(4, "1e-6", 3, 600),
    Cell(6, "1e-6"),
    Cell(4, "1e-8", 3, 600),
)  # fmt: skip


class KeptWorld(SecondWorld):
    """Sets of images of world-ar2 that are kept in a folder by the weights of the model."""

    def __init__(self, folder: Path, weights: Path | None) -> None:
        super().__init__(MOST, folder, weights)
        self.folder = folder / f"{self.generator.weights_sha256}"[:12]
        self.folder.mkdir(parents=True, exist_ok=True)

    def unmarked(self, number: int) -> Set:
        """One unmarked image for each caption, with the seeds of round `number`."""
        return self._kept(f"unmarked-{number}", lambda: self.set(number, MOST))

    def null(self, count: int) -> npt.NDArray[np.int64]:
        """Codes read from unmarked images of other captions."""
        prompts = second_prompts(count, seed=11)
        return self._kept(f"null-{count}", lambda: {"codes": self.codes(self._files(prompts, REFERENCE)[0])})["codes"]

    def set(self, number: int, count: int, bias: Callable[[], object] = bool) -> Set:
        """One image for each of the first captions, with the seeds of round `number`; `bias` tells the generator to mark."""
        prompts = self.prompts[:count]
        images, chosen = self._files(prompts, number, bias)
        right = [verdict(p.demand, s).correct for p, s in zip(prompts, detect_all(images), strict=True)]
        return {
            "chosen": chosen,
            "codes": self.codes(images),
            "right": np.array(right),
            "features": self.features(images),
        }

    def _files(
        self, prompts: Sequence[Any], number: int, bias: Callable[[], object] = bool
    ) -> tuple[list[Pixels], Any]:
        """(images read back from PNG files, codes that the generator chose)."""
        bias()
        chosen = self.generator.sample_tokens(self.asked(prompts, number))
        self.generator.logits_processors.clear()
        with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{i}.png" for i in range(len(prompts))]
            for file, row in zip(files, chosen, strict=True):
                file.write_bytes(png_bytes(self.generator._pixels(row[None], (0,))[0]))
            return [decode_image(file.read_bytes()) for file in files], chosen.numpy()

    def _kept(self, name: str, make: Callable[[], Set]) -> Set:
        file = self.folder / f"{name}.npz"
        if not file.exists():
            np.savez(file, **make())
        with np.load(file) as found:
            return dict(found)


def main() -> None:
    """Measure, write after every row, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="DELTA:UNTIL", help="these rows alone; until may be empty")
    parser.add_argument("--nulls", type=int, default=1200)
    parser.add_argument("--weights", type=Path, help="folder with the files of the second edition")
    parser.add_argument("--kept", type=Path, default=Path("runs/watermark-world2"))
    parser.add_argument("--table", action="store_true", help="measure nothing")
    parser.add_argument("--write", action="store_true", help="put the table into docs/watermark.md")
    given = parser.parse_args()
    rows = read("watermark-world2")
    there = {(float(row["delta"]), row["until"]) for row in rows}
    missing = [cell for cell in CELLS if (cell.delta, cell.until) not in there and not given.table]
    if given.only is not None:
        missing = [cell for cell in missing if f"{cell.delta:g}:{cell.until}" in given.only]
    if missing:
        world = KeptWorld(given.kept, given.weights)
        for cell in missing:
            row = row_of(world, cell, given.nulls)
            rows = sorted([*read("watermark-world2"), row], key=place_of)  # others may have added some
            write("watermark-world2", rows)
    lines = "\n".join(table_of(rows))
    print(lines)
    if given.write:
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(r"\| delta \| until \|(.|\n)*?\n\n", lambda _: f"{lines}\n\n", page), encoding="utf-8")


def row_of(world: KeptWorld, cell: Cell, nulls: int) -> dict[str, Any]:
    """What a cell finds and costs, over its rounds."""
    plain = [first(world.unmarked(number), cell.images) for number in range(cell.rounds)]
    reference, null = first(world.unmarked(REFERENCE), cell.images)["features"], world.null(nulls)
    marks = [mark_of(world, number) for number in range(cell.rounds)]
    made = [marked(world, cell, number, mark) for number, mark in enumerate(marks)]
    scores = [mark.score(each["codes"]) for mark, each in zip(marks, made, strict=True)]
    log_p, larger = both([score.log_p for score in scores], marks, null)
    clean, clean_larger = both(
        [m.score(each["codes"]).log_p for m, each in zip(marks, plain, strict=True)], marks, null
    )
    right, before = (np.concatenate([each["right"] for each in sets]).astype(float) for sets in (made, plain))
    lost = paired_difference(before, right, clusters=np.tile(np.arange(cell.images), cell.rounds)).estimate
    own = np.mean([frechet_distance_of_features(each["features"], reference) for each in plain])
    distance = np.mean([frechet_distance_of_features(each["features"], reference) for each in made])
    others = [mark_of(world, 1000 + number) for number in range(KEYS)]
    return {
        "delta": cell.delta, "until": cell.until, "images": len(right), "keys": cell.rounds,
        **shares(log_p, "found"), "found_larger_p_at_1e-3": float((larger <= LIMIT).mean()),
        **shares(clean, "called"), "called_larger_p_at_1e-3": float((clean_larger <= LIMIT).mean()),
        "called_mean_of_keys_at_1e-3": float(np.mean([(m.score(null).log_p <= LIMIT).mean() for m in others])),
        "coins": float(np.median(np.concatenate([s.distinct for s in scores]))),
        "green": float(np.mean(np.concatenate([s.green / s.distinct for s in scores]))),
        "codes_read_back": float(np.mean([(each["codes"] == each["chosen"]).mean() for each in made])),
        "right": float(right.mean()), "right_unmarked": float(before.mean()), "lost": lost.value, "lost_low": lost.low,
        "lost_high": lost.high, "fd_multiple": float(distance / own),
    }  # fmt: skip


def mark_of(world: KeptWorld, number: int) -> Mark:
    """LBW's, one fixed list at gamma 1/2, with the key of a round."""
    return mark_for(MarkSpec("lbw"), Key(number.to_bytes(4, "big") + bytes(range(28))), world.tokenizer)


def marked(world: KeptWorld, cell: Cell, number: int, mark: Mark) -> Set:
    """The images of a round; with delta 0 those of another round, unmarked."""
    if not cell.delta:
        return first(world.unmarked(cell.rounds + number), cell.images)
    until = float(cell.until) if cell.until else None
    return world.set(number, cell.images, lambda: mark_generator(world.generator, mark, cell.delta, until))


def first(images: Set, count: int) -> Set:
    """The first ones of a set."""
    return {name: values[:count] for name, values in images.items()}


def both(
    log_p: Sequence[npt.NDArray[np.float64]], marks: Sequence[Mark], null: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(exact, larger of exact and calibrated) of all rounds."""
    larger = [decided(p, np.sort(mark.score(null).log_p)) for p, mark in zip(log_p, marks, strict=True)]
    return np.concatenate(log_p), np.concatenate(larger)


def place_of(row: Mapping[str, Any]) -> tuple[float, float]:
    """Without until first, and then the weakest."""
    return -float(row["until"] or 2), float(row["delta"])


def table_of(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of Markdown."""
    yield "| delta | until | images | keys | found at 1e-3 | larger p | unmarked called | green | right | lost | FD |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        n = {name: float(value) for name, value in row.items() if value != "" and name != "until"}
        larger = f"{n['found_larger_p_at_1e-3']:.3f}" if "found_larger_p_at_1e-3" in n else "—"
        found = [f"{n['found_at_1e-3']:.3f} ({n['found_low']:.2f}–{n['found_high']:.2f})", larger]
        cells = [
            f"{n['delta']:g}", row["until"] or "—", f"{n['images']:,.0f}", row["keys"], *(found if n["delta"] else ["—", "—"]),
            f"{n['called_at_1e-3']:.3f}", f"{n['green']:.2f}", f"{n['right']:.2f}",
            f"{n['lost']:.3f} ({n['lost_low']:.2f}–{n['lost_high']:.2f})".replace("-", "−"), f"{n['fd_multiple']:.2f}",
        ]  # fmt: skip
        yield f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
