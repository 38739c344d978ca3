"""The floors of the reference world, measured on either edition from its weight files.

    python benchmarks/world/second_measure.py --edition 1                          # the shipped world-ar
    python benchmarks/world/second_measure.py --edition 2 --weights runs/world2    # a folder with all three files
    python benchmarks/world/second_measure.py --edition 2 --tokenizer              # what needs no generator

Writes results/world-EDITION-floors.csv (or --out): one row a number, with a 95 % interval over captions where several
images share one. Everything is judged on held-out captions with the default sampler (or --guidance).

- right: share of images that show what their caption demands, by task; of oracle renders, of the tokenizer's
  reconstructions, of the generator, and of the generator with captions shuffled
- places: cells of 8 px in which the centres of single objects stand, as a share of those of as many oracle renders; and
  the total variation between both distributions over a 4 x 4 grid
- colours: total variation between the colours found for captions of one colour and the oracle's
- distinct: different images of one caption under 32 seeds
- bits: entropy of the sampler's own distribution, by the images it made; and what the model needs for oracle renders
- copies: share of images that are no near copy of a training scene (authenticity), beside that of fresh renders
- fd: Frechet distance of EfficientNet-Lite0 features to oracle renders, beside that between two halves of these
- tokenizer: PSNR, codes in use, and codes that are the same after decoding, rounding and JPEG 75
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from second_detector import _jpeg_file
from torch import Tensor

from evalkit.encoders.registry import load_extractor
from evalkit.errors import WeightsError
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler, law
from evalkit.images.sample import Pixels
from evalkit.metrics.base import Estimate
from evalkit.metrics.frechet import frechet_distance_of_features
from evalkit.metrics.memorisation import authenticity
from evalkit.stats.intervals import mean_interval
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.world import captions as first_captions
from evalkit.world import prompts as first_prompts
from evalkit.world import render as first_render
from evalkit.world import scene as first_scene
from evalkit.world.detector import Seen
from evalkit.world.detector import detect_all as first_detect
from evalkit.world.judge import verdict
from evalkit.world.second import captions as second_captions
from evalkit.world.second import prompts as second_prompts
from evalkit.world.second import render as second_render
from evalkit.world.second import scene as second_scene
from evalkit.world.second.detector import WEIGHTS as DETECTOR
from evalkit.world.second.detector import detect_all as second_detect
from evalkit.world.second.detector import load_network

RESULTS = Path(__file__).parent / "results"
SEEDS = 32
Row = dict[str, object]


@dataclass(frozen=True)
class Edition:
    """What differs between the editions. `scene(task, rng)` is one that training may show."""

    number: int
    side: int
    tasks: tuple[str, ...]
    prompts: Callable[..., Sequence[Any]]
    render: Callable[[Sequence[Any]], list[Pixels]]
    detect: Callable[[Sequence[Pixels]], list[Seen]]
    scene: Callable[[str, Random], Any]
    generator: Any
    tokenizer: Any


def first_edition() -> Edition:
    """The shipped one."""

    def scene(task: str, rng: Random) -> Any:
        while True:
            found = first_scene.draw_scene(task, rng)
            if not first_captions.held_out(found, first_captions.write_caption(found, rng)):
                return found

    return Edition(
        1, first_scene.SIDE, first_scene.TASKS, first_prompts.world_prompts,
        lambda scenes: [first_render.render_scene(s) for s in scenes], first_detect, scene,
        load_generator("world-ar", device="cpu", dtype="float32"), load_tokenizer("world-vq", device="cpu"),
    )  # fmt: skip


def second_edition(weights: Path | None, device: str, generates: bool = True) -> Edition:
    """The second, from a folder of weights, or as it is shipped; without its generator where nothing is generated."""
    network = load_network(weights / DETECTOR).to(device) if weights and (weights / DETECTOR).is_file() else None

    def scene(task: str, rng: Random) -> Any:
        while True:
            found = second_scene.draw_scene(task, rng)
            if not second_captions.held_out(found, second_captions.describe(found, rng)[0]):
                return found

    return Edition(
        2, second_scene.SIDE, second_scene.TASKS, second_prompts.second_prompts, second_render.render_scenes,
        lambda images: second_detect(images, network), scene,
        load_generator("world-ar2", weights, device) if generates else None, load_tokenizer("world-vq2", weights, device),
    )  # fmt: skip


class Measured:
    """The rows of one edition; images are made once and shared by the measurements."""

    def __init__(self, edition: Edition, prompts: int, samples: int, captions: int) -> None:
        self.edition, self.captions, self.rows = edition, captions, list[Row]()
        self.suite = list(edition.prompts(prompts))
        self.asked = [p for p in self.suite for _ in range(samples)]
        self.oracle = edition.render([p.scene for p in self.suite])

    def generate(self, sampler: Sampler) -> None:
        """The images of all captions."""
        self.sampler = sampler
        started = time.process_time()
        self.tokens, self.made = self._made(self.asked, 0)
        seconds = (time.process_time() - started) * 500 / len(self.asked)
        self._add("processor seconds of 500 images", "all", Estimate(seconds, None, None, len(self.asked), "measured"))

    def known(self) -> None:
        """Verdicts by task on what the renderer draws, and on what the tokenizer makes of it."""
        self._verdicts("oracle", self.suite, self.oracle)
        self._verdicts("reconstructions", self.suite, self._rebuilt(self.oracle)[0])

    def right(self) -> None:
        """Verdicts by task on what was generated."""
        self._verdicts("generator", self.asked, self.made)
        order = Random(0).sample(range(len(self.made)), len(self.made))
        self._verdicts("generator, captions shuffled", self.asked, [self.made[i] for i in order])

    def tokenizer(self) -> None:
        """Error, codes in use, and codes that survive files."""
        rebuilt, codes = self._rebuilt(self.oracle)
        errors = [np.square(a.astype(float) - b).mean() / 255**2 for a, b in zip(self.oracle, rebuilt, strict=True)]
        self._add(
            "tokenizer psnr dB", "all", mean_interval([-10 * math.log10(max(e, 1e-9)) for e in errors], method="mean")
        )
        fresh = [self.edition.scene(t, Random(f"use-{t}-{i}")) for t in self.edition.tasks for i in range(170)]
        used = len(torch.unique(self._codes(self.edition.render(fresh)))) / self.edition.tokenizer.vocab_size
        self._add("tokenizer codes in use", "all", Estimate(used, None, None, len(fresh), "counted"))
        for name, change in (("rounding", lambda x: x), ("jpeg 75", lambda x: _jpeg_file(x, 75))):
            same = (self._codes([change(x) for x in rebuilt]) == codes).double().mean(1).numpy()
            self._add(f"tokenizer codes the same after {name}", "all", mean_interval(same, method="mean"))

    def variety(self) -> None:
        """Places of single objects, colours, and different images of one caption."""
        single = list(self.edition.prompts(self.captions, task="single_object"))
        _, many = self._made([p for p in single for _ in range(SEEDS)], 1_000_000)
        groups = [many[i : i + SEEDS] for i in range(0, len(many), SEEDS)]
        self._add(
            "distinct images of 32 seeds",
            "single_object",
            mean_interval([len({x.tobytes() for x in g}) for g in groups], method="mean"),
        )
        truth = self.edition.render(
            [self.edition.scene("single_object", Random(f"place-{i}")) for i in range(len(many))]
        )
        found, expected = (list(_centres(self.edition.detect(images))) for images in (many, truth))
        cells, known = ({(x // 8, y // 8) for x, y in points} for points in (found, expected))
        self._add(
            "places, share of the oracle's",
            "single_object",
            Estimate(len(cells & known) / max(1, len(known)), None, None, len(many), "counted"),
        )
        quarter = self.edition.side // 4
        places = (Counter((x // quarter, y // quarter) for x, y in points) for points in (found, expected))
        self._add(
            "places, total variation", "single_object", Estimate(_variation(*places), None, None, len(many), "counted")
        )
        coloured = [(p, x) for p, x in zip(self.asked, self.made, strict=True) if p.demand.task == "colors"]
        seen = self.edition.detect([x for _, x in coloured])
        colors = (
            Counter(t.color for s in seen for t in s.things[:1]),
            Counter(p.demand.wanted[0].color for p, _ in coloured),
        )
        self._add(
            "colours, total variation", "colors", Estimate(_variation(*colors), None, None, len(coloured), "counted")
        )

    def bits(self) -> None:
        """Bits of an image given its caption: of the sampler's distribution, and of the model for oracle renders."""
        own = self._bits(self.asked, self.tokens, self.sampler)
        self._add(
            "bits of an image given its caption",
            "all",
            mean_interval(own, clusters=[p.id for p in self.asked], method="mean"),
        )
        plain = Sampler(Guidance("llamagen", 1.0))
        needed = self._bits(self.suite, self._codes(self.oracle), plain)
        self._add("bits that the model needs for oracle renders", "all", mean_interval(needed, method="mean"))

    def copies(self, training: int) -> None:
        """Speed of drawing; authenticity and Frechet distance, both by EfficientNet-Lite0."""
        rng = Random("training")
        scenes = [self.edition.scene(rng.choice(self.edition.tasks), rng) for _ in range(training)]
        started = time.process_time()
        shown = self.edition.render(scenes)
        speed = training / (time.process_time() - started)
        self._add("scenes drawn in a processor second", "all", Estimate(speed, None, None, training, "measured"))
        try:
            self.extractor = load_extractor("efflite0", device=str(self.edition.generator.device))
        except WeightsError as error:
            print(f"no features: {error}")
            return
        made = self._features(self.made[:: max(1, len(self.made) // len(self.suite))])
        train, oracle = self._features(shown), self._features(self.oracle)
        fresh = self._features(self.edition.render([p.scene for p in self.edition.prompts(len(self.suite), seed=7)]))
        self._add("authenticity of images", "all", authenticity(made, train))
        self._add("authenticity of oracle renders", "all", authenticity(oracle, train))
        for name, features in (("fd to oracle renders", made), ("fd of other oracle renders", fresh)):
            value = frechet_distance_of_features(features, oracle)
            self._add(name, "all", Estimate(value, None, None, len(features), "efflite0"))

    def _made(self, prompts: Sequence[Any], seed: int) -> tuple[Tensor, list[Pixels]]:
        requests = [
            Request(f"{p.id}-{i}", p.caption, seed=seed + i, sampler=self.sampler) for i, p in enumerate(prompts)
        ]
        tokens = self.edition.generator.sample_tokens(requests)
        return tokens, self.edition.generator.decode_tokens(tokens, requests)

    def _verdicts(self, what: str, prompts: Sequence[Any], images: Sequence[Pixels]) -> None:
        found = [verdict(p.demand, seen) for p, seen in zip(prompts, self.edition.detect(images), strict=True)]
        for task in (*self.edition.tasks, "all"):
            kept = [(v.correct, p.id) for v, p in zip(found, prompts, strict=True) if task in (v.task, "all")]
            right, ids = zip(*kept, strict=True)
            self._add(f"right, {what}", task, mean_interval(right, clusters=ids if len(set(ids)) < len(ids) else None))

    def _bits(self, prompts: Sequence[Any], tokens: Tensor, sampler: Sampler) -> list[float]:
        """-log2 of the probability of codes [n, N] under the sampler's distribution."""
        model, found = self.edition.generator, list[float]()
        for part in _pieces(range(len(prompts)), 16):
            text = model.encode_conditions([Request("0", prompts[i].caption, seed=0) for i in part])
            codes = tokens[part.start : part.stop].to(model.device)
            logits = model.logits(text, codes)
            if not sampler.guidance.off:
                logits = sampler.guidance.combine(logits, model.logits(model.null(text), codes), 0.0)
            shares = law(logits, sampler).gather(2, codes[..., None])[..., 0].double()
            found += (-shares.clamp(min=1e-12).log2().sum(1)).tolist()
        return found

    def _codes(self, images: Sequence[Pixels]) -> Tensor:
        model = self.edition.tokenizer
        return torch.cat(
            [model.encode(_batch(images[p.start : p.stop])).values.cpu() for p in _pieces(range(len(images)), 64)]
        )

    def _rebuilt(self, images: Sequence[Pixels]) -> tuple[list[Pixels], Tensor]:
        model, codes, side = self.edition.tokenizer, self._codes(images), self.edition.side // 8
        done: list[Pixels] = []
        for part in torch.split(codes, 64):
            y = model.decode(model.codes(indices=part, grid=(side, side))).clamp(0, 1).mul(255).round().to(torch.uint8)
            done += list(y.permute(0, 2, 3, 1).cpu().numpy())
        return done, codes

    def _features(self, images: Sequence[Pixels]) -> Any:
        parts = [_batch(images[p.start : p.stop]) for p in _pieces(range(len(images)), 64)]
        return (
            torch.cat([self.extractor.features((x * 255).to(torch.uint8)).cpu() for x in parts])
            .numpy()
            .astype(np.float64)
        )

    def _add(self, what: str, task: str, value: Estimate) -> None:
        numbers = {"value": value.value, "low": value.low, "high": value.high}
        row: Row = {"edition": self.edition.number, "what": what, "task": task}
        row |= {name: "" if number is None else f"{number:.4g}" for name, number in numbers.items()}
        self.rows.append({**row, "n": value.n})
        print("  ".join(f"{key}={said}" for key, said in self.rows[-1].items() if said != ""), flush=True)


def _pieces(whole: range, size: int) -> Iterator[range]:
    return (whole[i : i + size] for i in range(0, len(whole), size))


def _batch(images: Sequence[Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def _centres(seen: Sequence[Seen]) -> Iterator[tuple[int, int]]:
    for image in seen:
        if image.things:
            left, top, right, bottom = image.things[0].box
            yield (left + right) // 2, (top + bottom) // 2


def _variation(a: Counter[Any], b: Counter[Any]) -> float:
    """Half of the summed differences between two distributions; 1 where one of them is empty."""
    if not a or not b:
        return 1.0
    return sum(abs(a[k] / a.total() - b[k] / b.total()) for k in {*a, *b}) / 2


def main() -> None:
    """Measure, print, write."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--edition", type=int, choices=(1, 2), default=2)
    line.add_argument("--weights", type=Path, help="folder with the files of the second edition")
    line.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    line.add_argument("--prompts", type=int, default=600, help="held-out captions, the tasks in turn")
    line.add_argument("--samples", type=int, default=4, help="images of each")
    line.add_argument("--captions", type=int, default=20, help="single objects that are drawn with 32 seeds")
    line.add_argument("--training", type=int, default=10_000, help="training scenes that copies are looked for in")
    line.add_argument("--guidance", type=float, help="in place of the generator's own")
    line.add_argument(
        "--tokenizer", action="store_true", help="nothing is generated; writes world-EDITION-tokenizer.csv"
    )
    line.add_argument("--out", type=Path)
    given = line.parse_args()
    generates = not given.tokenizer
    edition = first_edition() if given.edition == 1 else second_edition(given.weights, given.device, generates)
    measured = Measured(edition, given.prompts, given.samples, given.captions)
    measured.known()
    measured.tokenizer()
    if generates:
        generated(measured, given)
    path = given.out or RESULTS / f"world-{given.edition}-{'floors' if generates else 'tokenizer'}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(measured.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(measured.rows)


def generated(measured: Measured, given: argparse.Namespace) -> None:
    """What is measured of images of the generator."""
    edition = measured.edition
    if given.device.startswith("cuda"):
        edition.generator.rows = 256
    sampler = edition.generator.default_sampler
    if given.guidance is not None:
        sampler = Sampler(Guidance("llamagen", given.guidance))
    measured.generate(sampler)
    for part in (measured.right, measured.variety, measured.bits):
        part()
    measured.copies(given.training)


if __name__ == "__main__":
    main()
