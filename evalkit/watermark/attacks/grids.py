"""Named grids of attacks, and WAVES's relative strengths (umd-huang-lab/WAVES, distortions/distortions.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.watermark.attacks.base import Attack, Chain
from evalkit.watermark.attacks.spelling import GRIDS, Options, Parameter, read_attack, register

# distortion: value at relative strength 0, value at 1, spelling, whether the code cuts off the fraction
WAVES: dict[str, tuple[float, float, str, bool]] = {
    "rotation": (0, 45, "rotate:{:g}", False),
    "resizedcrop": (1, 0.5, "crop-area:{:g}", False),
    "erasing": (0, 0.25, "erase:{:g}", False),
    "brightness": (1, 2, "brightness:{:g}", False),
    "contrast": (1, 2, "contrast:{:g}", False),
    "blurring": (0, 20, "blur:{:g}", True),
    "noise": (0, 0.1, "noise:{:g}:floor", False),
    "compression": (90, 10, "jpeg:{:g}", True),
}
COMBOS: dict[str, tuple[str, ...]] = {
    "geometric": ("rotation", "resizedcrop", "erasing"),
    "photometric": ("brightness", "contrast"),
    "degradation": ("blurring", "noise", "compression"),
    "all": tuple(WAVES),
}
STEPS = (0.2, 0.4, 0.6, 0.8, 1.0)


def waves_absolute(distortion: str, strength: float) -> float:
    """The value that WAVES's code uses for a relative strength in [0, 1].

    Blur and JPEG quality lose their fraction there, so that blur below 0.05 does nothing.

    >>> waves_absolute("compression", 0.5), waves_absolute("blurring", 0.04)
    (50, 0)
    """
    start, end, _, whole = WAVES[distortion]
    value = min(max(strength * (end - start) + start, min(start, end)), max(start, end))
    return int(value) if whole else value


@register(
    "waves",
    Parameter("distortion", "word", choices=(*WAVES, *COMBOS)),
    Parameter("strength", low=0, high=1),
    about="a distortion of WAVES, or one of its combinations, at a relative strength; named by its absolute one",
)
def waves(name: str, values: Mapping[str, Any], options: Options) -> Attack:
    """`waves:blurring:0.2` is `blur:4`."""
    distortion, strength = str(values["distortion"]), float(values["strength"])
    parts = COMBOS.get(distortion, (distortion,))
    return Chain.of([read_attack(WAVES[part][2].format(waves_absolute(part, strength)), options) for part in parts])


def _each(spelling: str, *values: float) -> tuple[str, ...]:
    return tuple(spelling.format(f"{value:g}") for value in values)


GRIDS["controls"] = (
    "png", "8bit", "shift:1", "plus:2", "plus:-2", "resize-px:1", "resize-px:-1",
)  # fmt: skip
GRIDS["quick"] = (
    "png", "jpeg:75", "jpeg:50", "webp:75", "resize:0.5", "blur:1", "noise:0.02", "brightness:1.2", "crop:0.9",
    "rotate:3", "flip", "overlay",
)  # fmt: skip
GRIDS["waves"] = tuple(f"waves:{name}:{s:g}" for name in (*WAVES, *COMBOS) for s in STEPS)
GRIDS["wmar"] = (
    *_each("gaussian:{}", 1, 3, 5, 7, 9, 11, 13, 15, 17, 19),
    *_each("noise:{}", 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2),
    *_each("jpeg:{}", 100, 95, 85, 75, 65, 55, 45, 35, 25, 15, 5),
    *_each("brightness:{}", 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3),
    *_each("rotate:{}", -20, -15, -10, -5, 5, 10, 15, 20),
    "flip",
    *_each("crop:{}:corner", 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5),
)
GRIDS["wmar-neural"] = ("vae:sd-vae-ft-ema", "vae:sdxl-vae", "vae:flux-vae")
GRIDS["bitmark"] = (
    *_each("gaussian:{}:random", 1, 3, 5, 7, 9, 11, 13, 15, 17, 19),
    *_each("noise:{}:floor", 0.05, 0.1, 0.15, 0.2),
    *_each("jitter:{}", 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    *(
        f"rotate-random:{-d}:{d}"
        for d in (10, 20, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 310, 320, 330, 340, 350)
    ),
    *_each("crop:{}", 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5),
    *_each("jpeg:{}", 100, 90, 80, 70, 60, 50, 40, 30, 20, 10),
    "flip",
    "flip:vertical",
    "noise:0.0980392:floor+gaussian:7:random+jitter-random:0:3:3:0.3+cut:0.7+rotate-random:0:180+back+jpeg:75",
)
