"""Draw docs/images/world.png: images of world-ar for held-out captions, six tasks from top to bottom.

    python benchmarks/world/contact_sheet.py

Nothing is chosen: the first images of each task in the suite with seed 1, a green or red corner as the judge says.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator
from evalkit.world.detector import detect
from evalkit.world.judge import verdict
from evalkit.world.prompts import world_prompts
from evalkit.world.scene import TASKS

COLUMNS, SIDE, TEXT, GAP = 8, 128, 54, 8
TARGET = Path(__file__).parents[2] / "docs/images/world.png"


def main() -> None:
    prompts = [p for task in TASKS for p in world_prompts(COLUMNS, seed=1, task=task)]
    requests = [Request(f"{p.demand.task}-{p.id}", p.caption, seed=i) for i, p in enumerate(prompts)]  # no shared draws
    made = load_generator("world-ar", device="cpu", dtype="float32").generate(requests)
    cell = (SIDE + GAP, SIDE + TEXT)
    sheet = Image.new("RGB", (COLUMNS * cell[0] + GAP, len(TASKS) * cell[1] + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for index, (prompt, image) in enumerate(zip(prompts, made, strict=True)):
        x, y = GAP + index % COLUMNS * cell[0], GAP + index // COLUMNS * cell[1]
        pixels = image.pixels  # type: ignore[union-attr]
        sheet.paste(Image.fromarray(np.repeat(np.repeat(pixels, 2, 0), 2, 1)), (x, y))
        pen.rectangle((x - 1, y - 1, x + SIDE, y + SIDE), outline="#cccccc")
        right = verdict(prompt.demand, detect(pixels)).correct
        pen.rectangle((x + SIDE - 8, y, x + SIDE - 1, y + 7), fill="#1a8f3c" if right else "#c62828")
        pen.text((x, y + SIDE + 3), textwrap.fill(prompt.caption, 22), "#222222", font, spacing=1)
    sheet.quantize(200).save(TARGET, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
