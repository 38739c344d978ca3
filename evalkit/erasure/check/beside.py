"""Who else looks at the images of prompts that must stay: CLIPScore, and a detector of the other domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evalkit.encoders.base import Encoder
from evalkit.encoders.prompt_scorer import PromptScorer
from evalkit.erasure.check.folders import Unit
from evalkit.erasure.check.items import RETAIN
from evalkit.erasure.check.seen import look, packed
from evalkit.erasure.check.texts import text_scores
from evalkit.images.sample import Pixels
from evalkit.jobs.timers import Timers


@dataclass(frozen=True)
class Beside:
    """`scorer`: of images for their prompts. `domain`: sees what the detector of the concept has no labels for."""

    scorer: PromptScorer | None = None
    domain: Encoder | None = None

    def on(self, unit: Unit, arm: str, image: Pixels, timers: Timers) -> dict[str, Any]:
        """Columns of a row for one image of an arm; none for prompts that ask for the concept."""
        found: dict[str, Any] = {}
        if unit.item.subset != RETAIN:
            return found
        if self.scorer is not None and unit.sample == 0:
            with timers("text scores"):
                found[f"clip_{arm}"] = text_scores(self.scorer, image, unit.item.prompt)
        if self.domain is not None:
            with timers("other domain"):
                found[f"seen_domain_{arm}"] = packed(look(self.domain, [image])[0])
        return found
