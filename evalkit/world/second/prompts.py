"""Held-out captions of the second edition with their truth, in the shape of GenEval's metadata."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random

from evalkit.errors import EvalkitError
from evalkit.world.prompts import Captioned, different
from evalkit.world.second.captions import describe, held_out
from evalkit.world.second.scene import TASKS, Scene, draw_scene

SUITE_SIZE = 600


@dataclass(frozen=True)
class SecondPrompt(Captioned[Scene]):
    """A prompt of the second edition."""


def second_prompts(n: int = SUITE_SIZE, seed: int = 0, task: str | None = None) -> list[SecondPrompt]:
    """`n` different held-out captions, the twelve tasks in turn (or `task` alone); the same for the same seed.

    Raises `EvalkitError` for an unknown task, or where there are fewer captions.

    >>> second_prompts(12)[11].demand.task
    'style'
    """
    if task is not None and task not in TASKS:
        raise EvalkitError(f"the second world has no task {task!r}; its tasks: {', '.join(TASKS)}")
    return list(_drawn(n, seed, task))


@lru_cache(8)
def _drawn(n: int, seed: int, task: str | None) -> tuple[SecondPrompt, ...]:
    rng = Random(f"world2-{seed}-{task}" if task else f"world2-{seed}")

    def draw(id: str, wanted: str) -> tuple[SecondPrompt, bool]:
        scene = draw_scene(wanted, rng)
        caption, demand = describe(scene, rng)
        return SecondPrompt(id, caption, demand, scene), held_out(scene, caption)

    return different(n, f"world2-{seed}", (task,) if task else TASKS, draw)
