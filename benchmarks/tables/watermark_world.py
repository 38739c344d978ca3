"""How strong a bias the marks of `world-ar` need, and what it costs: 200 marked and 200 unmarked images as PNG files.

For each method and delta: how many marked images are found at FPR 1e-2 and 1e-3 by the exact p, how many unmarked ones
and how many with another key; the same by the larger of the exact p and the calibrated one (2,000 unmarked images of
other seeds), which is what `detect --calibration` decides by; distinct coins an image, green share read back, share of
codes read back as they were chosen; quality as the share of images that show what their caption demands (world-probe),
and the Fréchet distance of efficientnet-lite0 features to other unmarked images. Then the curves under attacks for two
of them.

Delta is added to green logits while images are made; inf leaves green codes alone. `psnr`: unmarked images whose pixels
were changed afterwards, to so many dB; --pixels measures these rows alone, without calibrated p-values, and adds them.

Run: python benchmarks/tables/watermark_world.py [--images 200] [--pixels]
(writes benchmarks/tables/watermark-world.csv and watermark-world-attacks.csv)
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from evalkit.encoders.registry import load_extractor
from evalkit.generators.base import Request, TokenGenerator
from evalkit.generators.registry import load_generator
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.metrics.frechet import frechet_distance_of_features
from evalkit.stats.shares import clopper_pearson
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks import read_attack
from evalkit.watermark.attacks.base import seed_of
from evalkit.watermark.attacks.sizes import to_pixels, to_tensor
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.embed.nudge import Nudge, nudge
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.world.detector import detect
from evalkit.world.judge import verdict
from evalkit.world.prompts import WorldPrompt, world_prompts

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
OUT = Path(__file__).parent
NULLS = 2000
INF = float("inf")
GENERATED: tuple[tuple[MarkSpec, tuple[float, ...]], ...] = (
    (MarkSpec("places", gamma=0.25, clusters=64), (4, 12, INF)),
    (MarkSpec("lbw", gamma=0.5, kind="paired"), (4, 8, INF)),
    (MarkSpec("lbw", gamma=0.25, kind="paired"), (INF,)),
    (MarkSpec("wmar", gamma=0.25), (INF,)),
    (MarkSpec("clusters", gamma=0.5, clusters=64), (INF,)),
)
CURVES = (("places", INF), ("lbw", 8.0))  # method, delta
PIXELS = ((MarkSpec("places"), 40.0), (MarkSpec("places"), 37.0), (MarkSpec("lbw"), 37.0))  # mark, dB
DECIDED = ("decided_tpr_at_1e-3", "decided_fpr_at_1e-3")
ATTACKS = (
    "png", "jpeg:90", "jpeg:75", "jpeg:50", "resize:0.75", "resize:0.5", "noise:0.01", "noise:0.02", "noise:0.05",
    "retokenize:world-vq", "retokenize:world-vq:2",
)  # fmt: skip


class World:
    """Images of the first captions of the suite, through PNG files, and what is measured of them."""

    def __init__(self, count: int, folder: Path) -> None:
        self.folder = folder
        self.tokenizer = load_tokenizer("world-vq", device="cpu")
        generator = load_generator("world-ar", None, "cpu", "float32")
        if not isinstance(generator, TokenGenerator):
            raise TypeError(type(generator))
        self.generator, self.prompts = generator, world_prompts()[:count]
        self.extractor = load_extractor("efflite0", device="cpu")

    def images(self, run: str, seed: int, mark: Mark | None = None, delta: float = 0.0) -> tuple[list[Pixels], Any]:
        """(images read back from PNG, codes that the generator chose)."""
        self.generator.logits_processors.clear()
        if mark is not None:
            mark_generator(self.generator, mark, delta)
        codes = self.generator.sample_tokens(self.asked(self.prompts, seed)).numpy()
        self.generator.logits_processors.clear()
        where = self.folder / run
        where.mkdir()
        with torch.inference_mode():
            for number, row in enumerate(codes):
                (pixels,) = self.generator._pixels(torch.from_numpy(row[None]), (0,))
                (where / f"{number:04d}.png").write_bytes(png_bytes(pixels))
        return [decode_image(file.read_bytes()) for file in sorted(where.iterdir())], codes

    def asked(self, prompts: Sequence[WorldPrompt], seed: int) -> list[Request]:
        """One image of each caption."""
        return [Request(p.id, p.caption, seed=seed_of(seed, p.id)) for p in prompts]

    def nudged(self, run: str, plain: Sequence[Pixels], mark: Mark, how: Nudge) -> tuple[list[Pixels], Any]:
        """(unmarked images whose pixels were changed, read back from PNG; codes that they were pushed to)."""
        made: list[Pixels] = []
        aims = []
        for start in range(0, len(plain), 50):
            some = plain[start : start + 50]
            green = torch.from_numpy(mark.green_places(0, 64)).expand(
                len(some), *([64] if mark.method == "places" else []), -1
            )
            aim = self.tokenizer.encode_among(to_tensor(some), green)
            made += to_pixels(to_tensor(some) + nudge(self.tokenizer, some, aim.values, green, how).cpu())
            aims.append(aim.values.numpy())
        where = self.folder / run
        where.mkdir()
        for number, pixels in enumerate(made):
            (where / f"{number:04d}.png").write_bytes(png_bytes(pixels))
        return [decode_image(file.read_bytes()) for file in sorted(where.iterdir())], np.concatenate(aims)

    def many(self, count: int) -> npt.NDArray[np.int64]:
        """Codes read from so many unmarked images of all captions, of seeds that nothing else has."""
        self.generator.logits_processors.clear()
        every, read = world_prompts(), []
        asked = [
            Request(str(i), every[i % len(every)].caption, seed=seed_of(7 + i // len(every), str(i)))
            for i in range(count)
        ]
        for start in range(0, count, 100):
            codes = self.generator.sample_tokens(asked[start : start + 100])
            with torch.inference_mode():
                made = [self.generator._pixels(row[None], (0,))[0] for row in codes]
            read.append(self.codes([decode_image(png_bytes(pixels)) for pixels in made]))
        return np.concatenate(read)

    def codes(self, images: Sequence[Pixels]) -> npt.NDArray[np.int64]:
        """Codes read from images."""
        x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            return np.concatenate([self.tokenizer.encode(part).values.numpy() for part in x.split(64)])

    def right(self, images: Sequence[Pixels]) -> float:
        """Share of images that show what their caption demands."""
        judged: list[tuple[WorldPrompt, Pixels]] = list(zip(self.prompts, images, strict=True))
        return float(np.mean([verdict(p.demand, detect(image)).correct for p, image in judged]))

    def features(self, images: Sequence[Pixels]) -> npt.NDArray[np.float64]:
        """efficientnet-lite0's."""
        x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            return np.concatenate([self.extractor.features(part).double().numpy() for part in x.split(32)])


def shares(log_p: npt.NDArray[np.float64], name: str) -> dict[str, Any]:
    """Share of images at or below 1e-2 and 1e-3, the latter with its Clopper-Pearson interval."""
    hits = int((log_p <= np.log(1e-3)).sum())
    low, high = clopper_pearson(hits, len(log_p))
    return {
        f"{name}_at_1e-2": float((log_p <= np.log(1e-2)).mean()),
        f"{name}_at_1e-3": hits / len(log_p), f"{name}_low": low, f"{name}_high": high,
    }  # fmt: skip


def decided(log_p: npt.NDArray[np.float64], nulls: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """log of the larger of p and the conformal p, (1 + null images as extreme) / (null images + 1)."""
    more = np.searchsorted(nulls, log_p + 1e-9, side="right")
    return np.maximum(log_p, np.log((1 + more) / (len(nulls) + 1)))


def auc(marked: npt.NDArray[np.float64], plain: npt.NDArray[np.float64]) -> float:
    """Chance that a marked image's p is the smaller one, ties half."""
    wins = (marked[:, None] < plain[None]).mean() + 0.5 * (marked[:, None] == plain[None]).mean()
    return float(wins)


def read(name: str) -> list[dict[str, Any]]:
    """The rows of a CSV beside this file; none where there is no such file."""
    file = OUT / f"{name}.csv"
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def write(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV beside this file."""
    with (OUT / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})
    print(rows[-1], flush=True)


def main() -> None:
    """Measure and write after every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--pixels", action="store_true", help="marks by pixels alone")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = World(asked.images, Path(folder))
        bench = Bench(world, *world.images("unmarked", 1), pixels=asked.pixels)
        for spec, level in PIXELS if asked.pixels else ():
            mark = mark_for(spec, KEY, world.tokenizer)
            images, chosen = world.nudged(f"{spec.method}-{level:g}", bench.plain, mark, Nudge(psnr=level))
            bench.measure(spec, mark, images, chosen, psnr=level)
        for spec, deltas in () if asked.pixels else GENERATED:
            for delta in deltas:
                mark = bench.mark(spec, KEY)
                images, chosen = world.images(f"{len(bench.rows)}", 0, mark, delta)
                bench.measure(spec, mark, images, chosen, delta)


class Bench:
    """The rows of both tables; unmarked images are those that false positives are counted on."""

    def __init__(self, world: World, plain: list[Pixels], chosen: Any, *, pixels: bool) -> None:
        self.world, self.plain, self.null = world, plain, world.codes(plain)
        other, _ = world.images("reference", 2)
        self.reference = world.features(other)
        if pixels:
            self.calibration = None
            self.rows: list[dict[str, Any]] = [r for r in read("watermark-world") if not r["psnr"]]
            self.attacked = [r for r in read("watermark-world-attacks") if "pixels" not in r["mark"]]
            return
        self.calibration = world.many(NULLS)
        self.histogram = np.bincount(world.codes(other).ravel(), minlength=1024)
        self.attacked: list[dict[str, Any]] = []
        unknown = dict.fromkeys(
            (*shares(np.zeros(1), "tpr"), *shares(np.zeros(1), "fpr"), *DECIDED, "wrong_key_at_1e-3", "auc"), ""
        )
        self.rows = [
            {
                "method": "none", "gamma": "", "kind": "", "clusters": "", "delta": "", "psnr": "",
                "marked": 0, "unmarked": len(plain), **unknown,
                "coins": float(np.median([len(np.unique(row)) for row in self.null])), "green": "",
                "codes_read_back": float((self.null == chosen).mean()), "world_probe": world.right(plain),
                "fd_efflite0": frechet_distance_of_features(world.features(plain), self.reference),
            }
        ]  # fmt: skip

    def mark(self, spec: MarkSpec, key: Key) -> Mark:
        """With the histogram of other unmarked images, where the method needs one."""
        needs = spec.kind == "paired" or spec.method == "wmar"
        return mark_for(spec, key, self.world.tokenizer, frequencies=self.histogram if needs else None)

    def measure(
        self,
        spec: MarkSpec,
        mark: Mark,
        images: list[Pixels],
        chosen: Any,
        delta: float | None = None,
        psnr: float | None = None,
    ) -> None:
        """One row, and the curves where they are wanted."""
        codes, wrong = self.world.codes(images), self.mark(spec, OTHER)
        scores, clean = mark.score(codes), mark.score(self.null).log_p
        told = dict.fromkeys(DECIDED, "")
        if self.calibration is not None:
            nulls = np.sort(mark.score(self.calibration).log_p)
            larger = (decided(each, nulls) <= np.log(1e-3) for each in (scores.log_p, clean))
            told = {name: float(each.mean()) for name, each in zip(DECIDED, larger, strict=True)}
        self.rows.append(
            {
                "method": spec.method, "gamma": spec.gamma,
                "kind": spec.kind or "", "clusters": spec.clusters or "", "delta": delta or "", "psnr": psnr or "",
                "marked": len(images), "unmarked": len(self.plain), **shares(scores.log_p, "tpr"),
                **shares(clean, "fpr"),
                **told,
                "wrong_key_at_1e-3": float((wrong.score(codes).log_p <= np.log(1e-3)).mean()),
                "auc": auc(scores.log_p, clean), "coins": float(np.median(scores.distinct)),
                "green": float((scores.green / scores.distinct).mean()),
                "codes_read_back": float((codes == chosen).mean()),
                "world_probe": self.world.right(images),
                "fd_efflite0": frechet_distance_of_features(self.world.features(images), self.reference),
            }
        )  # fmt: skip
        write("watermark-world", self.rows)
        if psnr is not None or ((spec.method, delta) in CURVES and spec.gamma in (0.25, 0.5)):
            label = f"{spec.method}, pixels {psnr:g} dB" if psnr is not None else f"{spec.method}, delta {delta:g}"
            self.attacked += curves(self.world, mark, label, images, self.plain)
            write("watermark-world-attacks", self.attacked)


def psnr_of(images: Sequence[Pixels], others: Sequence[Pixels]) -> float:
    """Mean over pairs, in dB."""
    errors = [np.square(a.astype(float) - b).mean() / 255**2 for a, b in zip(images, others, strict=True)]
    return float(np.mean(-10 * np.log10(np.maximum(errors, 1e-10))))


def curves(
    world: World, mark: Mark, label: str, images: Sequence[Pixels], plain: Sequence[Pixels]
) -> list[dict[str, Any]]:
    """A row an attack, on marked and on unmarked images."""
    rows = []
    before = world.codes(images)
    for spelling in ATTACKS:
        attack = read_attack(spelling)
        seeds = list(range(len(images)))
        ruined = [decode_image(file.data) for file in attack.files(images, seeds)]
        codes, null = world.codes(ruined), world.codes([decode_image(f.data) for f in attack.files(plain, seeds)])
        same = all(np.array_equal(a, b) for a, b in zip(images, ruined, strict=True))
        log_p, clean = mark.score(codes).log_p, mark.score(null).log_p
        rows.append(
            {
                "mark": label, "attack": spelling, "psnr_db": "" if same else psnr_of(images, ruined),
                "codes_kept": float((codes == before).mean()), **shares(log_p, "tpr"), **shares(clean, "fpr"),
                "auc": auc(log_p, clean), "world_probe": world.right(ruined),
            }
        )  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
