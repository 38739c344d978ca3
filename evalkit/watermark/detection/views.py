"""Views of an image that a detector may try besides the image itself: mirrored, shifted, scaled, turned, brighter.

Every view undoes one edit. Codes of cells that a view had to fill are not counted. Whole cells are moved in the code map,
which needs no encoding. What is tried, and what it costs: `search`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from evalkit.images.sample import Pixels
from evalkit.watermark.template.pose import Pose


@dataclass(frozen=True)
class View:
    """What is undone: a mirror, a shift by (dx, dy) pixels, a scale, an angle in degrees (counter-clockwise), factors of
    brightness and of contrast, a shift by whole cells of the code map. `template`: before these, the pose that the
    key's pattern was found in.
    """

    flip: bool = False
    dx: int = 0
    dy: int = 0
    scale: float = 1.0
    angle: float = 0.0
    gain: float = 1.0
    contrast: float = 1.0
    right: int = 0
    down: int = 0
    template: bool = False

    @property
    def name(self) -> str:
        """How rows name it: "" for the image itself."""
        parts = ["template"] if self.template else []
        parts += ["flip"] if self.flip else []
        parts += [f"shift {self.dx},{self.dy}"] if self.dx or self.dy else []
        numbers = (("scale", self.scale, 1), ("turn", self.angle, 0), ("gain", self.gain, 1))
        parts += [f"{name} {value:g}" for name, value, usual in numbers if value != usual]
        parts += [f"contrast {self.contrast:g}"] if self.contrast != 1 else []
        parts += [f"roll {self.right},{self.down}"] if self.right or self.down else []
        return " ".join(parts)

    @property
    def behind(self) -> bool:
        """Whether it changes what was found by a template."""
        return self.template and self != View(template=True)

    @property
    def encoded(self) -> View:
        """The view whose codes it moves by whole cells."""
        return replace(self, right=0, down=0)

    def as_dict(self) -> dict[str, Any]:
        """What it undoes, as plain data: `View(**view.as_dict()) == view`."""
        return {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }

    def with_changes(self, other: View) -> View:
        """This and what the other undoes."""
        return replace(self, **other.as_dict())

    @property
    def resamples(self) -> bool:
        """Whether it needs pixels between pixels, so that a larger image to look at helps."""
        return self.scale != 1 or self.angle != 0 or self.template

    def look(self, image: Pixels, finer: int = 1, pose: Pose | None = None) -> tuple[Pixels, npt.NDArray[np.bool_]]:
        """The view [S, S, 3] of a square image, and bool [S, S]: pixels that come from the image.

        `finer`: the image has so many times the side S of the view, and is reduced at last. `pose`: of the template.
        """
        side = image.shape[0]
        lit, whole = self._lit(image), np.full((side, side), 255, np.uint8)
        if self.template and pose is not None:
            lit, whole = pose.warp(lit), pose.warp(whole, sharp=True)
        seen, known = Image.fromarray(lit), Image.fromarray(whole)
        if self.flip:
            seen = seen.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.scale != 1:
            size = max(1, round(side * self.scale))
            seen = seen.resize((size, size), Image.Resampling.BICUBIC)
            at = (side - size) // 2
            seen, known = _placed(seen, at, at, side), _placed(Image.new("L", (size, size), 255), at, at, side)
        if self.angle:
            seen = seen.rotate(self.angle, Image.Resampling.BICUBIC)
            known = known.rotate(self.angle, Image.Resampling.NEAREST)
        if self.dx or self.dy:
            seen, known = (_placed(each, -self.dx * finer, -self.dy * finer, side) for each in (seen, known))
        shown = np.asarray(known) > 0
        if finer > 1:
            small = side // finer
            seen = seen.resize((small, small), Image.Resampling.BICUBIC)
            shown = np.asarray(shown.reshape(small, finer, small, finer).all((1, 3)))
        return np.asarray(seen), shown

    def _lit(self, image: Pixels) -> Pixels:
        """Contrast about the mean grey, then brightness."""
        if self.gain == 1 and self.contrast == 1:
            return image
        values = image.astype(np.float32)
        mean = values.mean()
        lit: Pixels = np.clip(np.rint(((values - mean) * self.contrast + mean) * self.gain), 0, 255).astype(np.uint8)
        return lit


def _placed(image: Image.Image, x: int, y: int, side: int) -> Image.Image:
    """A `side` square with `image` at (x, y); what lies outside is cut, what is empty is black."""
    canvas = Image.new(image.mode, (side, side))
    canvas.paste(image, (x, y))
    return canvas
