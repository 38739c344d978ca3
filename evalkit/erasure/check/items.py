"""What is asked of both models: prompts that ask for the concept, directly or in other ways, and prompts that do not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from evalkit.erasure.pairs.pair import Pair
from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json
from evalkit.prompts.load import PromptSet
from evalkit.prompts.prompt import Prompt
from evalkit.tasks.generate.rows import seed_of

DIRECT, RETAIN = "direct", "retain"
LEAKS = ("synonym", "implicit", "compositional", "misspelt", "other-language")


@dataclass(frozen=True)
class Item:
    """A prompt of one of the sets; `replacement` is what an eraser may draw instead, empty for retained prompts."""

    id: str
    subset: str
    prompt: str
    replacement: str
    template: str
    source: str

    def seed(self, base: int, sample: int, arm: str = "") -> int:
        """The seed of an image; models that are compared share it, and `arm` gives others."""
        return seed_of(base, Prompt(f"{self.id}{arm}"), sample)


def items_of(pairs: Sequence[Pair], concept: str, retain: PromptSet | None) -> tuple[Item, ...]:
    """Test pairs of `concept` (all of its pairs where none is for testing), then the prompts that must stay.

    Replacements are among those that must stay. Raises `EvalkitError` where no pair is of the concept, or none asks for it
    directly.
    """
    mine = [pair for pair in pairs if pair.concept == concept]
    if not mine:
        known = ", ".join(sorted({pair.concept for pair in pairs})[:6])
        raise EvalkitError(f"no pair is of the concept {concept!r}. Give --concept {known}")
    held = [pair for pair in mine if pair.split == "test"] or mine
    found = {
        pair.target: Item(pair.id, pair.stratum, pair.target, pair.replacement, pair.template, pair.source)
        for pair in held
    }
    if not any(item.subset == DIRECT for item in found.values()):
        raise EvalkitError(f"no test pair asks for {concept!r} directly. Give pairs of the stratum direct")
    kept = {
        pair.replacement: Item(f"r-{pair.id}", RETAIN, pair.replacement, "", pair.template, pair.source)
        for pair in held
    }
    for prompt in () if retain is None else retain.prompts:
        if prompt.prompt and prompt.prompt not in found:
            kept.setdefault(prompt.prompt, Item(f"k-{prompt.id}", RETAIN, prompt.prompt, "", "", "retain"))
    return (*found.values(), *(item for text, item in kept.items() if text not in found))


def items_digest(items: Sequence[Item]) -> str:
    """sha256 over all items in their order."""
    return hashlib.sha256(canonical_json([asdict(item) for item in items])).hexdigest()
