"""What a network answers to a question about an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """A `question`, its `answer` in words, and the probabilities of answers where the network states them."""

    question: str
    answer: str
    probabilities: Mapping[str, float] = field(default_factory=dict)
