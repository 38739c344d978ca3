"""The prompt suite `world`: 500 held-out captions with GenEval's metadata."""

from __future__ import annotations

from evalkit.prompts.load import Prompt, PromptSet, register
from evalkit.world.prompts import SUITE_SIZE, world_prompts


@register("world")
def world_suite() -> PromptSet:
    """500 captions that training never showed, the six tasks in turn."""
    return PromptSet("world", tuple(Prompt(p.id, p.caption, meta=p.metadata) for p in world_prompts(SUITE_SIZE)))
