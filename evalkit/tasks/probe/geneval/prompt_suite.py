"""The prompt suite `geneval`: GenEval's 553 prompts, for generators."""

from __future__ import annotations

from evalkit.prompts.load import Prompt, PromptSet, register
from evalkit.tasks.probe.geneval.prompts import geneval_prompts


@register("geneval")
def geneval_suite() -> PromptSet:
    """The official prompts in their order; the benchmark takes four images of each."""
    return PromptSet("geneval", tuple(Prompt(p.id, p.prompt, meta=p.metadata) for p in geneval_prompts()))
