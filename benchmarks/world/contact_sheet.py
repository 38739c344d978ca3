"""Draw images for held-out captions, the tasks from top to bottom: docs/images/world.png, world2.jpg and world-ar2.jpg.

    python benchmarks/world/contact_sheet.py                                       # world-ar
    python benchmarks/world/contact_sheet.py --edition 2                           # the second edition's renderer
    python benchmarks/world/contact_sheet.py --edition 2 --generator               # world-ar2; or of --weights runs/world2

Nothing is chosen: the first captions of each task with seed 1. The corner of a generator's image is green or red as the
judge says.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator
from evalkit.images.sample import Pixels
from evalkit.world.detector import detect_all
from evalkit.world.judge import verdict
from evalkit.world.prompts import world_prompts
from evalkit.world.scene import TASKS
from evalkit.world.second.detector import detect_all as second_detect
from evalkit.world.second.prompts import second_prompts
from evalkit.world.second.render import render_scenes
from evalkit.world.second.scene import TASKS as SECOND_TASKS

COLUMNS, SIDE, TEXT, GAP = 8, 128, 54, 8
IMAGES = Path(__file__).parents[2] / "docs/images"


def made(name: str, weights: Path | None, prompts: Sequence[Any]) -> list[Pixels]:
    """An image of each prompt; no two share draws."""
    requests = [Request(f"{p.demand.task}-{p.id}", p.caption, seed=i) for i, p in enumerate(prompts)]
    return [image.pixels for image in load_generator(name, weights, "cpu", "float32").generate(requests)]  # type: ignore[union-attr]


def sheet(prompts: Sequence[Any], images: Sequence[Pixels], right: Sequence[bool | None]) -> Image.Image:
    """Images over their captions, `COLUMNS` a row; None leaves out the corner."""
    cell = (SIDE + GAP, SIDE + TEXT)
    found = Image.new("RGB", (COLUMNS * cell[0] + GAP, len(prompts) // COLUMNS * cell[1] + GAP), "white")
    pen, font = ImageDraw.Draw(found), ImageFont.load_default(11)
    for index, (prompt, pixels, good) in enumerate(zip(prompts, images, right, strict=True)):
        x, y = GAP + index % COLUMNS * cell[0], GAP + index // COLUMNS * cell[1]
        way = cv2.INTER_NEAREST if SIDE % pixels.shape[0] == 0 else cv2.INTER_CUBIC
        found.paste(Image.fromarray(np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=way), np.uint8)), (x, y))
        pen.rectangle((x - 1, y - 1, x + SIDE, y + SIDE), outline="#cccccc")
        if good is not None:
            pen.rectangle((x + SIDE - 8, y, x + SIDE - 1, y + 7), fill="#1a8f3c" if good else "#c62828")
        pen.text((x, y + SIDE + 3), textwrap.fill(prompt.caption, 22), "#222222", font, spacing=1)
    return found


def main() -> None:
    """Draw the sheet of an edition."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--edition", type=int, choices=(1, 2), default=1)
    line.add_argument("--generator", action="store_true", help="of the second edition, in place of its renderer")
    line.add_argument("--weights", type=Path, help="folder with the files of the second edition, for --generator")
    given = line.parse_args()
    prompts: Sequence[Any]
    right: list[bool | None]
    if given.edition == 1:
        prompts = [p for task in TASKS for p in world_prompts(COLUMNS, seed=1, task=task)]
        images = made("world-ar", None, prompts)
        right = [verdict(p.demand, seen).correct for p, seen in zip(prompts, detect_all(images), strict=True)]
    else:
        prompts = [p for task in SECOND_TASKS for p in second_prompts(COLUMNS, seed=1, task=task)]
        images, right = render_scenes([p.scene for p in prompts]), [None] * len(prompts)
        if given.generator:
            images = made("world-ar2", given.weights, prompts)
            right = [verdict(p.demand, s).correct for p, s in zip(prompts, second_detect(images), strict=True)]
    second = "world-ar2.jpg" if given.generator else "world2.jpg"
    target, drawn = IMAGES / ("world.png" if given.edition == 1 else second), sheet(prompts, images, right)
    if given.edition == 1:
        drawn.quantize(200).save(target, optimize=True)
    else:
        drawn.save(target, quality=60, optimize=True)
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
