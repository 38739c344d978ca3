"""One thing to draw, and an ordered set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.jsonio import canonical_json


@dataclass(frozen=True)
class Prompt:
    """One thing to draw; `seed` where the file gives one, `meta` whatever else its line holds."""

    id: str
    prompt: str | None = None
    class_id: int | None = None
    seed: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PromptSet:
    """An ordered list of prompts with unique ids."""

    name: str
    prompts: tuple[Prompt, ...]

    @property
    def digest(self) -> str:
        """sha256 over all that decides the images and their scores."""
        digest = hashlib.sha256()
        for p in self.prompts:
            digest.update(canonical_json([p.id, p.prompt, p.class_id, p.seed, dict(p.meta)]))
        return digest.hexdigest()
