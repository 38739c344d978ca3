"""How strong a bias the marks of `world-ar` need, and what it costs: 200 marked and 200 unmarked pictures as PNG files.

For each method and delta: how many marked pictures are found at FPR 1e-2 and 1e-3 by the exact p, how many unmarked ones
and how many with another key; distinct coins a picture, green share read back, share of codes read back as they were
chosen; quality as the share of pictures that show what their caption demands (world-probe), and the Fréchet distance of
efficientnet-lite0 features to other unmarked pictures. Then the curves under attacks for two of them.

`clusters by place` is no method of evalkit: its coin is (cell, cluster), so that each of the 64 cells is one. It is here to
show what a picture of 64 codes, of which most are one ground's, could carry at all.

Run: python benchmarks/tables/watermark_world.py [--pictures 200]
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
from torch import Tensor

from evalkit.encoders.base import load_extractor
from evalkit.generators.base import Request, Step, TokenGenerator
from evalkit.generators.registry import load_generator
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.metrics.frechet import frechet_distance_of_features
from evalkit.stats.intervals import clopper_pearson
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks import read_attack
from evalkit.watermark.attacks.base import seed_of
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, make_pool
from evalkit.watermark.mark import Codes, Colours, Mark, raise_green
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.methods.near import clusters_of
from evalkit.watermark.methods.subject import codebook_of
from evalkit.watermark.score import Scores, score_codes
from evalkit.world.detector import detect
from evalkit.world.judge import verdict
from evalkit.world.prompts import WorldPrompt, world_prompts

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
OUT = Path(__file__).parent
INF = float("inf")
SETTINGS: tuple[tuple[str, dict[str, Any], tuple[float, ...]], ...] = (
    ("lbw", {"gamma": 0.5, "kind": "paired"}, (8, INF)),
    ("clusters by place", {"gamma": 0.25, "clusters": 64}, (INF,)),
    ("lbw", {"gamma": 0.5, "kind": "paired"}, (2, 4)),
    ("wmar", {"gamma": 0.25}, (INF,)),
    ("clusters by place", {"gamma": 0.25, "clusters": 64}, (12,)),
    ("lbw", {"gamma": 0.25, "kind": "paired"}, (INF,)),
    ("clusters", {"gamma": 0.5, "clusters": 64}, (INF,)),
)
CURVES = (("lbw", 0.5, 8.0), ("clusters by place", 0.25, INF))
ATTACKS = (
    "png", "jpeg:90", "jpeg:75", "jpeg:50", "resize:0.75", "resize:0.5", "noise:0.01", "noise:0.02", "noise:0.05",
    "retokenize:world-vq", "retokenize:world-vq:2",
)  # fmt: skip


class Placed(Mark):
    """A list of clusters for each cell: the coin is (cell, cluster)."""

    method, lists = "clusters by place", 1

    def __init__(self, gamma: float, clusters: npt.NDArray[np.int64], cells: int, key: Key, tokenizer: str) -> None:
        self.key, self.tokenizer, self.clusters, self.count = key, tokenizer, clusters, int(clusters.max()) + 1
        self.pool = make_pool(key, tokenizer, cells * self.count, Scheme(gamma))

    def as_dict(self) -> dict[str, Any]:
        """The method's name and the key's."""
        return {"method": self.method, "key_id": self.key.id}

    def list_of(self, what: str | int) -> int:
        """There is one."""
        return 0

    def units(self, codes: Codes) -> npt.NDArray[np.int64]:
        """(cell, cluster) as a number."""
        return np.arange(codes.shape[-1]) * self.count + self.clusters[codes]

    def score(self, codes: Codes) -> Scores:
        """The exact test over cells."""
        return score_codes(self.units(codes), self.pool)

    def colours(self, codes: Codes, list_id: int) -> Colours:
        """Of each cell's code."""
        return np.asarray(self.pool.masks[0][self.units(codes)])

    def bias(self, logits: Tensor, step: Step, delta: float) -> Tensor:
        """Green codes of the cells that are chosen now."""
        cells = np.fromiter(step.positions, np.int64)
        green = self.pool.masks[0][cells[:, None] * self.count + self.clusters]
        return raise_green(logits, np.broadcast_to(green, (len(logits), *green.shape)), delta)


def made(spec: tuple[str, Mapping[str, Any]], key: Key, tokenizer: Tokenizer, histogram: Any) -> Mark:
    """The mark of a setting."""
    name, numbers = spec
    if name == "clusters by place":
        groups = clusters_of(codebook_of(tokenizer), numbers["clusters"])
        return Placed(numbers["gamma"], groups, 64, key, tokenizer_identity(tokenizer))
    needs = numbers.get("kind") == "paired" or name == "wmar"
    return mark_for(MarkSpec(name, **numbers), key, tokenizer, frequencies=histogram if needs else None)


class World:
    """Pictures of the first captions of the suite, through PNG files, and what is measured of them."""

    def __init__(self, count: int, folder: Path) -> None:
        self.folder = folder
        self.tokenizer = load_tokenizer("world-vq", device="cpu")
        generator = load_generator("world-ar", None, "cpu", "float32")
        if not isinstance(generator, TokenGenerator):
            raise TypeError(type(generator))
        self.generator, self.prompts = generator, world_prompts()[:count]
        self.extractor = load_extractor("efflite0", device="cpu")

    def pictures(self, run: str, seed: int, mark: Mark | None = None, delta: float = 0.0) -> tuple[list[Pixels], Any]:
        """(pictures read back from PNG, codes that the generator chose)."""
        self.generator.logits_processors.clear()
        if mark is not None:
            mark_generator(self.generator, mark, delta)
        asked = [Request(p.id, p.caption, seed=seed_of(seed, p.id)) for p in self.prompts]
        codes = self.generator.sample_tokens(asked).numpy()
        self.generator.logits_processors.clear()
        where = self.folder / run
        where.mkdir()
        with torch.inference_mode():
            for number, row in enumerate(codes):
                (pixels,) = self.generator._pixels(torch.from_numpy(row[None]), (0,))
                (where / f"{number:04d}.png").write_bytes(png_bytes(pixels))
        return [decode_image(file.read_bytes()) for file in sorted(where.iterdir())], codes

    def codes(self, pictures: Sequence[Pixels]) -> npt.NDArray[np.int64]:
        """Codes read from pictures."""
        x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            return np.concatenate([self.tokenizer.encode(part).values.numpy() for part in x.split(64)])

    def right(self, pictures: Sequence[Pixels]) -> float:
        """Share of pictures that show what their caption demands."""
        judged: list[tuple[WorldPrompt, Pixels]] = list(zip(self.prompts, pictures, strict=True))
        return float(np.mean([verdict(p.demand, detect(image)).correct for p, image in judged]))

    def features(self, pictures: Sequence[Pixels]) -> npt.NDArray[np.float64]:
        """efficientnet-lite0's."""
        x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            return np.concatenate([self.extractor.features(part).double().numpy() for part in x.split(32)])


def shares(log_p: npt.NDArray[np.float64], name: str) -> dict[str, Any]:
    """Share of pictures at or below 1e-2 and 1e-3, the latter with its Clopper-Pearson interval."""
    hits = int((log_p <= np.log(1e-3)).sum())
    low, high = clopper_pearson(hits, len(log_p))
    return {
        f"{name}_at_1e-2": float((log_p <= np.log(1e-2)).mean()),
        f"{name}_at_1e-3": hits / len(log_p), f"{name}_low": low, f"{name}_high": high,
    }  # fmt: skip


def auc(marked: npt.NDArray[np.float64], plain: npt.NDArray[np.float64]) -> float:
    """Chance that a marked picture's p is the smaller one, ties half."""
    wins = (marked[:, None] < plain[None]).mean() + 0.5 * (marked[:, None] == plain[None]).mean()
    return float(wins)


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
    parser.add_argument("--pictures", type=int, default=200)
    count = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as folder:
        world = World(count, Path(folder))
        other, _ = world.pictures("reference", 2)
        reference, histogram = world.features(other), np.bincount(world.codes(other).ravel(), minlength=1024)
        plain, chosen = world.pictures("unmarked", 1)
        null = world.codes(plain)
        print(f"unmarked: right {world.right(plain):.3f}, codes read back {(null == chosen).mean():.3f}", flush=True)
        rows: list[dict[str, Any]] = [
            {
                "method": "none", "gamma": "", "kind": "", "clusters": "", "delta": "", "marked": 0, "unmarked": count,
                **dict.fromkeys(shares(np.zeros(1), "tpr"), ""), **dict.fromkeys(shares(np.zeros(1), "fpr"), ""),
                "wrong_key_at_1e-3": "", "auc": "",
                "coins": float(np.median([len(np.unique(row)) for row in null])), "green": "",
                "codes_read_back": float((null == chosen).mean()), "world_probe": world.right(plain),
                "fd_efflite0": frechet_distance_of_features(world.features(plain), reference),
            }
        ]  # fmt: skip
        attacked: list[dict[str, Any]] = []
        for method, numbers, deltas in SETTINGS:
            mark = made((method, numbers), KEY, world.tokenizer, histogram)
            wrong = made((method, numbers), OTHER, world.tokenizer, histogram)
            clean = mark.score(null).log_p
            for delta in deltas:
                pictures, chosen = world.pictures(f"{len(rows)}", 0, mark, delta)
                codes = world.codes(pictures)
                scores = mark.score(codes)
                rows.append(
                    {
                        "method": method, "gamma": numbers["gamma"], "kind": numbers.get("kind", ""),
                        "clusters": numbers.get("clusters", ""), "delta": delta, "marked": count, "unmarked": count,
                        **shares(scores.log_p, "tpr"), **shares(clean, "fpr"),
                        "wrong_key_at_1e-3": float((wrong.score(codes).log_p <= np.log(1e-3)).mean()),
                        "auc": auc(scores.log_p, clean), "coins": float(np.median(scores.distinct)),
                        "green": float((scores.green / scores.distinct).mean()),
                        "codes_read_back": float((codes == chosen).mean()), "world_probe": world.right(pictures),
                        "fd_efflite0": frechet_distance_of_features(world.features(pictures), reference),
                    }
                )  # fmt: skip
                write("watermark-world", rows)
                if (method, numbers["gamma"], delta) in CURVES:
                    attacked += curves(world, mark, method, delta, pictures, plain)
                    write("watermark-world-attacks", attacked)


def curves(
    world: World, mark: Mark, method: str, delta: float, pictures: Sequence[Pixels], plain: Sequence[Pixels]
) -> list[dict[str, Any]]:
    """A row an attack, on marked and on unmarked pictures."""
    rows = []
    before = world.codes(pictures)
    for spelling in ATTACKS:
        attack = read_attack(spelling)
        seeds = list(range(len(pictures)))
        ruined = [decode_image(file.data) for file in attack.files(pictures, seeds)]
        codes, null = world.codes(ruined), world.codes([decode_image(f.data) for f in attack.files(plain, seeds)])
        errors = [np.square(a.astype(float) - b).mean() / 255**2 for a, b in zip(pictures, ruined, strict=True)]
        log_p, clean = mark.score(codes).log_p, mark.score(null).log_p
        rows.append(
            {
                "method": method, "delta": delta, "attack": spelling,
                "psnr_db": float(np.mean(-10 * np.log10(np.maximum(errors, 1e-10)))) if max(errors) else "",
                "codes_kept": float((codes == before).mean()), **shares(log_p, "tpr"), **shares(clean, "fpr"),
                "auc": auc(log_p, clean), "world_probe": world.right(ruined),
            }
        )  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
