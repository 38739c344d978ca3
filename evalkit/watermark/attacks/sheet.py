"""A contact sheet: one image under every attack, each with its spelling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from evalkit.images.geometry import fit_square
from evalkit.images.sample import Pixels
from evalkit.watermark.attacks.base import Attack

CAPTION, GAP = 22, 6  # px
PAPER, INK = (250, 250, 247), (40, 40, 40)


def contact_sheet(
    image: Pixels, attacks: Sequence[Attack], *, seed: int = 0, columns: int = 6, tile: int = 192
) -> Pixels:
    """uint8 [H, W, 3]: the centre square of `image` at `tile` px, then its result under every attack, captioned."""
    base = fit_square(image, tile, "cover-lanczos")
    cells = [("original", base), *((attack.name, attack.apply(base, seed)) for attack in attacks)]
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * (tile + GAP) + GAP, rows * (tile + CAPTION + GAP) + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (name, pixels) in enumerate(cells):
        left, top = GAP + number % columns * (tile + GAP), GAP + number // columns * (tile + CAPTION + GAP)
        small = Image.fromarray(pixels)
        small.thumbnail((tile, tile))
        sheet.paste(small, (left, top))
        draw.text((left, top + tile + 3), _short(name, draw, font, tile), font=font, fill=INK)
    return np.asarray(sheet, dtype=np.uint8)


def _short(name: str, draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    while len(name) > 4 and draw.textlength(name, font=font) > width:
        name = name[:-2].rstrip("…") + "…"
    return name
