"""Baselines that change weights at once: another word's meaning for the concept's name, and noise."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher

import torch

from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.seeds import stream_seed
from evalkit.erasure.training.learner import Learner
from evalkit.erasure.training.objective import Edit, Work
from evalkit.errors import EvalkitError


class NameSwap(Edit):
    """The embedding of each word of the concept becomes that of the word that most often stands in its place.

    A word is the concept's where it occurs in targets, and in no replacement or retained prompt. Synonyms keep theirs.
    """

    on_words = True

    def apply(self, work: Work) -> None:
        """Overwrite rows of the table of words."""
        (table,) = work.chosen.parameters.values()
        with torch.no_grad():
            before = table.detach().clone()
            for word, other in swaps(work.learner, work.pairs, work.retain).items():
                table[word] = before[other]


def swaps(learner: Learner, pairs: tuple[Pair, ...], retain: tuple[str, ...] = ()) -> dict[int, int]:
    """Numbers of the concept's words to those that take their place. Raises `EvalkitError` where there is none."""
    both = [(learner.words(pair.target), learner.words(pair.replacement)) for pair in pairs]
    harmless = {word for _, replacement in both for word in replacement}
    harmless |= {word for prompt in retain for word in learner.words(prompt)}
    found: Counter[tuple[int, int]] = Counter()
    for target, replacement in both:
        for kind, a, b, c, d in SequenceMatcher(None, target, replacement, autojunk=False).get_opcodes():
            if kind == "replace":
                # where lengths differ, the last words are compared: names stand behind articles and adjectives
                found.update(zip(reversed(target[a:b]), reversed(replacement[c:d]), strict=False))
    chosen: dict[int, int] = {}
    for (word, other), _ in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        if word not in harmless:
            chosen.setdefault(word, other)
    if not chosen:
        raise EvalkitError(
            "no word stands in the targets alone, so no name can be swapped. Give pairs of direct prompts"
        )
    return chosen


class Noise(Edit):
    """Gaussian noise on every chosen parameter, of `strength` times the parameter's own norm."""

    def apply(self, work: Work) -> None:
        """Add the noise; each parameter's depends on the seed and its place alone."""
        for place, parameter in enumerate(work.chosen.parameters.values()):
            stream = torch.Generator().manual_seed(stream_seed(work.seed, "noise", place))
            noise = torch.randn(parameter.shape, generator=stream, dtype=torch.float64)
            original = parameter.detach().double().cpu()
            noise *= work.settings.strength * original.norm() / noise.norm()
            with torch.no_grad():
                parameter.copy_((original + noise).to(parameter))
