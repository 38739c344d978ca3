"""The oracle renderer: a scene becomes an image, the same bytes everywhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from evalkit.images.sample import Pixels
from evalkit.world.scene import SIDE, SPRITE, Scene
from evalkit.world.vocabulary import CLASS_NAMES, COLORS, GROUNDS

Floats = NDArray[np.float32]


def render_scene(scene: Scene) -> Pixels:
    """uint8 [64, 64, 3] RGB image of `scene`; later things cover earlier ones."""
    image = np.empty((SIDE, SIDE, 3), np.float32)
    image[:] = GROUNDS[scene.ground]
    for thing in scene.things:
        color, alpha = sprite(thing.name, thing.color)
        part = image[thing.y : thing.y + SPRITE, thing.x : thing.x + SPRITE]
        part += alpha * (color - part)
    return np.rint(image).astype(np.uint8)


@cache
def sprite(name: str, color: str | None) -> tuple[Floats, Floats]:
    """(RGB in 0..255 [24, 24, 3], opacity in 0..1 [24, 24, 1]) of a class in a colour, or in its natural ones (None).

    A colour multiplies the sprite's grey values, stretched and lifted so that dark things show their colour too.
    """
    index = CLASS_NAMES.index(name)
    atlas = _atlas()[:, index * SPRITE : (index + 1) * SPRITE]
    natural, alpha = atlas[..., :3], np.asarray(atlas[..., 3:] / 255, np.float32)
    if color is None:
        return natural, alpha
    grey = natural @ np.array([0.299, 0.587, 0.114], np.float32)
    drawn = grey[alpha[..., 0] > 0.5]
    low, high = float(np.percentile(drawn, 5)), float(np.percentile(drawn, 95))
    shade = 0.45 + 0.55 * np.clip((grey - low) / max(high - low, 1.0), 0, 1)
    shade = np.clip(shade + 0.82 - shade[alpha[..., 0] > 0.5].mean(), 0.3, 1.0)
    tinted = shade[..., None] * np.array(COLORS[color], np.float32)
    return np.asarray(tinted, np.float32), alpha


@cache
def _atlas() -> Floats:
    data = (files("evalkit.world") / "data" / "sprites.png").read_bytes()
    bgra = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), np.float32)
    return bgra[..., [2, 1, 0, 3]]
