"""The prompt suites `world` and `world2`: held-out captions of both editions with GenEval's metadata."""

from __future__ import annotations

from evalkit.prompts.load import Prompt, PromptSet, register
from evalkit.world.prompts import SUITE_SIZE, world_prompts
from evalkit.world.second.prompts import second_prompts


@register("world")
def world_suite() -> PromptSet:
    """500 captions that training never showed, the six tasks in turn."""
    return PromptSet("world", tuple(Prompt(p.id, p.caption, meta=p.metadata) for p in world_prompts(SUITE_SIZE)))


@register("world2")
def second_suite() -> PromptSet:
    """600 captions of the second edition that training never showed, the twelve tasks in turn."""
    return PromptSet("world2", tuple(Prompt(p.id, p.caption, meta=p.metadata) for p in second_prompts()))
