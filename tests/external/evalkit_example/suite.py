"""Two prompts of our own."""

from evalkit.prompts.load import Prompt, PromptSet, register


@register("apples")
def apples() -> PromptSet:
    return PromptSet("apples", (Prompt("0", "a photo of a red apple"), Prompt("1", "a photo of a green apple")))
