"""Held-out captions of the second edition with their truth, in the shape of GenEval's metadata."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.world.captions import Demand
from evalkit.world.prompts import geneval_metadata
from evalkit.world.second.captions import describe, held_out
from evalkit.world.second.scene import TASKS, Scene, draw_scene

SUITE_SIZE = 600


@dataclass(frozen=True)
class SecondPrompt:
    """A held-out caption, what it demands, and a scene that meets it."""

    id: str
    caption: str
    demand: Demand
    scene: Scene

    @property
    def metadata(self) -> dict[str, Any]:
        """GenEval's line of this prompt."""
        return geneval_metadata(self.demand, self.caption)


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
    found: dict[str, SecondPrompt] = {}
    for index in range(n):
        prompt = _new(f"world2-{seed}-{index:05d}", task or TASKS[index % len(TASKS)], rng, found)
        found[prompt.caption] = prompt
    return tuple(found.values())


def _new(name: str, task: str, rng: Random, known: dict[str, SecondPrompt]) -> SecondPrompt:
    for _ in range(20_000):
        scene = draw_scene(task, rng)
        caption, demand = describe(scene, rng)
        if caption not in known and held_out(scene, caption):
            return SecondPrompt(name, caption, demand, scene)
    raise EvalkitError(f"there are no more held-out {task} captions after {len(known)} prompts; ask for fewer")
