"""Runs of every probe that need no network and no download, and images of their pages for docs/probes.md.

python benchmarks/probe_examples/make.py [--out FOLDER] [--no-images]

What is fake is said in the captions of docs/probes.md: the judge is the reference world's detector, GenEval's prompts are
drawn as name tags, and the kinds of decoders are two ways of scaling up. Chromium draws the images.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from drawn import drawn
from judge import WorldJudge
from PIL import Image
from shots import shot

from evalkit.images.decode import decode_image
from evalkit.images.sample import Pixels
from evalkit.jobs.options import RunOptions
from evalkit.runs.store import Run
from evalkit.tasks.generate import generate_images
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.decoder import ask_decoder, train_decoder
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.rounds import probe_rounds
from evalkit.world.captions import Demand, Wanted, demand_of
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene
from evalkit.world.scene import Scene, Thing, draw_scene

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
RIDDLES = {  # evalkit's own words, in WISE's form: what a person must know to draw the thing
    "dog": ("culture", "The animal that is called the best friend of people"),
    "cat": ("culture", "The animal that is said to have nine lives"),
    "elephant": ("culture", "The animal that is said never to forget"),
    "apple": ("culture", "The fruit that keeps the doctor away, as the saying goes"),
    "clock": ("technology", "What strikes twelve at midnight"),
    "umbrella": ("technology", "What one opens when it begins to rain"),
    "bicycle": ("technology", "What the Tour de France is ridden on"),
    "airplane": ("technology", "What the Wright brothers built"),
    "giraffe": ("nature", "The tallest animal on land"),
    "banana": ("nature", "The fruit that is yellow and bent"),
    "balloon": ("nature", "What rises when it is filled with helium"),
    "boat": ("nature", "What the wind drives over the lake"),
}


UP = {"bicubic": Image.Resampling.BICUBIC, "repeated": Image.Resampling.NEAREST}
HEIGHTS = {
    "geneval": 1900,
    "world": 1900,
    "riddles": 1900,
    "rounds": 1500,
    "decoder": 1350,
}  # px of a page that are shown


def options(out: Path, limit: int | None = None) -> RunOptions:
    """A run on the CPU, in the folder of its own."""
    return RunOptions(out=out, limit=limit, device="cpu", seed=0)


def world(home: Path) -> Run:
    """The world's own model on its own prompts."""
    return probe("world", model="world-ar", options=options(home / "world", 60))


def geneval(home: Path) -> Run:
    """Name tags in GenEval's layout, one image of each seventeenth prompt."""
    detector = drawn(home / "tags")
    return probe(
        "geneval", home / "tags", detector=detector, samples=1, allow_missing=True, options=options(home / "geneval")
    )


def riddles(home: Path) -> Run:
    """A suite of a TOML file in WISE's form; every fourth image shows another thing, and one category loses replies."""
    data, images, rng = home / "riddles-data", home / "riddles-images", Random(1)
    data.mkdir(parents=True)
    rows = []
    for number, (name, (category, words)) in enumerate(RIDDLES.items()):
        rows.append({"id": name, "prompt": words, "answer": name, "category": category})
        shown = rng.choice([each for each in RIDDLES if each != name]) if number % 4 == 0 else name
        scene = Scene("single_object", "mint", (Thing(shown, None, 8 * rng.randrange(5), 8 * rng.randrange(5)),))
        _save(images / f"{name}.png", render_scene(scene))
    (data / "riddles.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    known = {f"is a {name}.": Demand("single_object", (Wanted(name),)) for name in RIDDLES}
    judge = JudgeOptions(judge=WorldJudge(known, refuses="midnight"), data=data, replies=home / "riddles.jsonl")
    suite = Path(__file__).with_name("riddles.toml")
    return probe(str(suite), images, judge=judge, options=options(home / "riddles"))


def reason_edit(home: Path) -> Run:
    """Scenes in which one of two things is exchanged; every third edit warms the rest, every fifth one does nothing."""
    data, edits, rng, demands = home / "edit-data", home / "edits", Random(2), {}
    for folder, count in (("1-Left-Right", 12), ("6-Reasoning", 8)):
        lines = []
        (data / folder).mkdir(parents=True)
        (edits / folder).mkdir(parents=True)
        for number in range(count):
            scene = draw_scene("position", rng)
            first, other = scene.things
            name = rng.choice([each for each in RIDDLES if each not in (first.name, other.name)])
            changed = Scene("position", scene.ground, (Thing(name, None, first.x, first.y), other), scene.relation)
            _edited(data / folder / f"{number:03d}", edits / folder / f"{number:03d}.png", scene, changed, number)
            told = f"put a {name} where the {first.name} stands"
            lines.append(f"{told} CLIP: a {name}\n")
            demands[told] = demand_of(Scene("two_object", scene.ground, changed.things))
        (data / folder / "text.txt").write_text("".join(lines))
    judge = JudgeOptions(judge=WorldJudge(demands), data=data, replies=home / "edit.jsonl")
    return probe("reason-edit", edits, judge=judge, options=options(home / "reason-edit"))


def vqascore(home: Path) -> Run:
    """Probabilities of yes for images of the world's model."""
    made = generate_images("world-ar", "world", options=options(home / "vqa-made", 48))
    data, images = home / "vqa-data", home / "vqa-images"
    data.mkdir(parents=True)
    images.mkdir()
    rows = made.samples.to_pylist()
    (data / "prompts.jsonl").write_text(
        "".join(json.dumps({"id": r["id"], "prompt": r["prompt"]}) + "\n" for r in rows)
    )
    for row in rows:
        shutil.copy(made.path / row["file"], images / f"{row['id']}.png")
    demands = {f'"{each.caption}"': each.demand for each in world_prompts()}
    judge = JudgeOptions(judge=WorldJudge(demands), data=data, replies=home / "vqa.jsonl")
    return probe("vqascore", images, judge=judge, options=options(home / "vqascore"))


def decoder(home: Path) -> Run:
    """Two ways of scaling scenes up by four stand for decoders, and six brightnesses for generators."""
    rng = Random(3)
    for kind in UP:
        for setting, power in enumerate((0.7, 0.8, 0.9, 1.0, 1.15, 1.3)):
            for number in range(12):
                pixels = render_scene(draw_scene(rng.choice(("counting", "two_object")), rng))
                bright = np.uint8(255 * (pixels / 255) ** power)
                _save(home / "kinds" / kind / f"setting-{setting}" / f"{number}.png", _scaled_up(bright, kind))
    train_decoder(home / "kinds" / "bicubic", home / "kinds" / "repeated", options=options(home / "decoder-train"))
    made = generate_images("world-ar", "world", options=options(home / "ar", 30))
    for number, row in enumerate(made.samples.to_pylist()):
        pixels = decode_image((made.path / row["file"]).read_bytes())
        _save(home / "asked" / f"{number}.png", _scaled_up(pixels, "repeated"))
    return ask_decoder(home / "asked", home / "decoder-train", options=options(home / "decoder"))


def rounds(home: Path) -> Run:
    """Six rounds of an editor that is asked to change nothing: it resamples, and adds a little warmth, each time."""
    rng = Random(4)
    for chain in range(12):
        image = Image.fromarray(render_scene(draw_scene("two_object", rng)))
        warm = rng.choice((2, 3, 4))
        for number in range(7):
            _save(home / "chains" / f"scene-{chain:02d}" / f"{number}.png", np.asarray(image))
            again = image.resize((60, 60), Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BICUBIC)
            warmer = np.asarray(again).astype(int) + np.array([warm, 0, 0])
            image = Image.fromarray(np.clip(warmer, 0, 255).astype(np.uint8))
    return probe_rounds(home / "chains", options=options(home / "rounds"))


def _scaled_up(pixels: Pixels, kind: str) -> Pixels:
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((4 * image.width, 4 * image.height), UP[kind]))


def _edited(source: Path, target: Path, scene: Scene, changed: Scene, number: int) -> None:
    before, after = render_scene(scene), render_scene(scene if number % 5 == 4 else changed).astype(np.int16)
    if number % 3 == 0:
        after[..., 0] += 12  # a warm cast over the whole image
    mask = (np.abs(render_scene(changed).astype(int) - before).max(-1) > 8).astype(np.uint8) * 255
    _save(source.with_suffix(".png"), before, 256)
    Image.fromarray(mask).resize((256, 256), Image.Resampling.NEAREST).save(f"{source}_mask.jpg")
    _save(target, np.clip(after, 0, 255).astype(np.uint8), 256)


def _save(path: Path, pixels: Pixels, side: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if side is None else image.resize((side, side), Image.Resampling.BICUBIC)).save(path)


EXAMPLES: dict[str, Callable[[Path], Run]] = {
    each.__name__.replace("_", "-"): each for each in (world, geneval, riddles, reason_edit, vqascore, decoder, rounds)
}


def main() -> None:
    """Make the runs, print their answers, and draw their pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", choices=sorted(EXAMPLES))
    parser.add_argument("--no-images", action="store_true")
    asked = parser.parse_args()
    home = asked.out or Path(tempfile.mkdtemp())
    for name, make in EXAMPLES.items():
        if asked.only in (None, name):
            run = make(home)
            print(name, [(row["metric"], row["value"], row["low"], row["high"]) for row in run.results[:3]])
            if not asked.no_images:
                shot(run.path / "report.html", IMAGES / f"probe-{name}.png", HEIGHTS.get(name, 1500))


if __name__ == "__main__":
    main()
