"""Held-out captions with their truth: the prompt suite `world`, in the shape of GenEval's metadata."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.world.captions import Demand, demand_of, held_out, write_caption
from evalkit.world.judge import EXACT
from evalkit.world.scene import TASKS, Scene, draw_scene

SUITE_SIZE = 500


@dataclass(frozen=True)
class WorldPrompt:
    """A held-out caption, what it demands, and a scene that meets it."""

    id: str
    caption: str
    demand: Demand
    scene: Scene

    @property
    def metadata(self) -> dict[str, Any]:
        """GenEval's line of this prompt: tag, include, exclude (counting), prompt."""
        return geneval_metadata(self.demand, self.caption)


def world_prompts(n: int = SUITE_SIZE, seed: int = 0, task: str | None = None) -> list[WorldPrompt]:
    """`n` different held-out captions, the tasks in turn (or `task` alone); the same for the same seed.

    `world_prompts()` is the suite `world`. Raises `EvalkitError` for an unknown task, or where there are fewer captions.

    >>> world_prompts(6)[0].demand.task, len({p.caption for p in world_prompts(60)})
    ('single_object', 60)
    """
    if task is not None and task not in TASKS:
        raise EvalkitError(f"the reference world has no task {task!r}; its tasks: {', '.join(TASKS)}")
    return list(_drawn(n, seed, task))


@lru_cache(8)
def _drawn(n: int, seed: int, task: str | None) -> tuple[WorldPrompt, ...]:
    rng = Random(f"world-{seed}")
    found: dict[str, WorldPrompt] = {}
    for index in range(n):
        wanted = task or TASKS[index % len(TASKS)]
        prompt = _new(f"world-{seed}-{index:05d}", wanted, rng, found)
        found[prompt.caption] = prompt
    return tuple(found.values())


def geneval_metadata(demand: Demand, caption: str) -> dict[str, Any]:
    """A line of GenEval's evaluation_metadata.jsonl; in position tasks the second class comes first, as there.

    The second edition adds `size` and `any_of` (a hypernym's classes) to a class, and `style` to the line.
    """
    include: list[dict[str, Any]] = []
    for wanted in demand.wanted:
        row: dict[str, Any] = {"class": wanted.name, "count": wanted.count}
        more = {"color": wanted.color, "size": wanted.size, "any_of": list(wanted.classes)}
        include.append({**row, **{name: value for name, value in more.items() if value}})
    if demand.relation is not None:
        include = [include[1], {**include[0], "position": [demand.relation, 0]}]
    line: dict[str, Any] = {"tag": demand.task, "include": include}
    if demand.task in EXACT:
        line["exclude"] = [{"class": w.name, "count": w.count + 1} for w in demand.wanted]
    if demand.absent:
        line["exclude"] = [{"class": name, "count": 1} for name in demand.absent]
    return {**line, **({"style": demand.style} if demand.style else {}), "prompt": caption}


def _new(name: str, task: str, rng: Random, known: dict[str, WorldPrompt]) -> WorldPrompt:
    for _ in range(20_000):
        scene = draw_scene(task, rng)
        caption = write_caption(scene, rng)
        if caption not in known and held_out(scene, caption):
            return WorldPrompt(name, caption, demand_of(scene), scene)
    raise EvalkitError(f"there are no more held-out {task} captions after {len(known)} prompts; ask for fewer")
