"""Held-out captions with their truth: the prompt suite `world`, in the shape of GenEval's metadata."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any, Generic, TypeVar

from evalkit.errors import EvalkitError
from evalkit.world.captions import Demand, demand_of, held_out, write_caption
from evalkit.world.judge import EXACT
from evalkit.world.scene import TASKS, Scene, draw_scene

SUITE_SIZE, TRIES = 500, 20_000
S = TypeVar("S")
P = TypeVar("P", bound="Captioned[Any]")


@dataclass(frozen=True)
class Captioned(Generic[S]):
    """A held-out caption, what it demands, and a scene (of either edition) that meets it."""

    id: str
    caption: str
    demand: Demand
    scene: S

    @property
    def metadata(self) -> dict[str, Any]:
        """GenEval's line of this prompt: tag, include, exclude (counting), prompt."""
        return geneval_metadata(self.demand, self.caption)


@dataclass(frozen=True)
class WorldPrompt(Captioned[Scene]):
    """A prompt of the first edition."""


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

    def draw(id: str, wanted: str) -> tuple[WorldPrompt, bool]:
        scene = draw_scene(wanted, rng)
        caption = write_caption(scene, rng)
        return WorldPrompt(id, caption, demand_of(scene), scene), held_out(scene, caption)

    return different(n, f"world-{seed}", (task,) if task else TASKS, draw)


def different(n: int, name: str, tasks: Sequence[str], draw: Callable[[str, str], tuple[P, bool]]) -> tuple[P, ...]:
    """`n` prompts with different captions, the tasks in turn; `draw` gives one, and whether training never saw it.

    Raises `EvalkitError` where there are fewer.
    """
    found: dict[str, P] = {}
    for index in range(n):
        task = tasks[index % len(tasks)]
        for _ in range(TRIES):
            prompt, apart = draw(f"{name}-{index:05d}", task)
            if apart and prompt.caption not in found:
                found[prompt.caption] = prompt
                break
        else:
            raise EvalkitError(f"there are no more held-out {task} captions after {len(found)} prompts; ask for fewer")
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
