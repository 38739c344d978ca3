"""GenEval's prompts drawn as name tags, with mistakes on purpose, and a detector that knows where the tags are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.detectors.detection import Boxes, Detection
from evalkit.images.sample import Pixels
from evalkit.tasks.probe.geneval.prompts import CLASSES, GenevalPrompt, geneval_prompts

SIDE, WIDE, HIGH = 256, 96, 48
EACH = 17  # every so many prompts is drawn, so that all six tasks are there
PAINT = {"brown": "#7b4a21", "pink": "#f08cb4", "white": "#fafafa", None: "#c9d2dc"}


class TagDetector(Detector):
    """Knows every image that was drawn; it sees no other."""

    id = "drawn-tags"
    version = "1"
    classes = CLASSES
    sees_colors = True

    def __init__(self) -> None:
        self.known: dict[str, Boxes] = {}

    def __call__(self, images: Sequence[Pixels]) -> list[Boxes]:
        """The tags of each image."""
        return [self.known[_key(image)] for image in images]


def drawn(folder: Path) -> TagDetector:
    """Images in GenEval's layout below `folder`, one of each drawn prompt; every third one has a mistake."""
    detector, rng = TagDetector(), Random(0)
    for number, prompt in list(enumerate(geneval_prompts()))[::EACH]:
        tags = _tags(prompt)
        if rng.random() < 1 / 3:
            tags = _spoiled(tags, rng)
        pixels, boxes = _painted(tags, prompt, rng)
        home = folder / f"{number:05d}"
        (home / "samples").mkdir(parents=True)
        (home / "metadata.jsonl").write_text(json.dumps(dict(prompt.metadata)))
        Image.fromarray(pixels).save(home / "samples" / "0000.png")
        detector.known[_key(pixels)] = boxes
    return detector


def _tags(prompt: GenevalPrompt) -> list[tuple[str, str | None]]:
    """(class, colour) of everything that the prompt asks for."""
    return [(clause.name, clause.color) for clause in prompt.include for _ in range(clause.count)]


def _spoiled(tags: list[tuple[str, str | None]], rng: Random) -> list[tuple[str, str | None]]:
    """One tag too few, or in another colour."""
    name, color = tags[-1]
    if color is not None and rng.random() < 0.7:
        return [*tags[:-1], (name, "green" if color != "green" else "red")]
    return tags[:-1]


def _painted(tags: list[tuple[str, str | None]], prompt: GenevalPrompt, rng: Random) -> tuple[Pixels, Boxes]:
    image = Image.new("RGB", (SIDE, SIDE), "#f4efe6")
    pen, found = ImageDraw.Draw(image), []
    cells = [(x, y) for y in (18, 78, 138, 198) for x in (20, 140)]
    places = _related(prompt) or rng.sample(cells, len(tags))
    for (name, color), (x, y) in zip(tags, places, strict=False):
        box = (x, y, x + WIDE, y + HIGH)
        pen.rounded_rectangle(box, 8, fill=PAINT.get(color, color), outline="#333333")
        dark = color in ("black", "blue", "purple", "brown", "green", "red")
        pen.text((x + 8, y + 18), name[:14], fill="white" if dark else "black")
        found.append(Detection(name, tuple(map(float, box)), 0.95, None, color or "white", 0.9))
    return np.asarray(image), tuple(found)


def _related(prompt: GenevalPrompt) -> list[tuple[int, int]] | None:
    """Places that stand in the relation that the prompt asks for."""
    relation = next((clause.relation for clause in prompt.include if clause.relation), None)
    if relation is None:
        return None
    sides = {"left of": (20, 104), "right of": (140, 104), "above": (80, 18), "below": (80, 198)}
    other = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}[relation]
    return [sides[other], sides[relation]]


def _key(pixels: Pixels) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
