"""The visual filter: a pair stays where the base draws the concept for the target and not for the replacement.

What was filtered was chosen by its images, so rates of those images are biased. Kept targets are drawn again with fresh
seeds; only those rates may be quoted as the base's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.pairs.recogniser import Recogniser
from evalkit.erasure.seeds import stream_seed
from evalkit.errors import EvalkitError
from evalkit.generators.base import Failed, Generator, Request
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels
from evalkit.jobs.progress import Progress

PART = 16  # pairs whose images are in memory at once


@dataclass(frozen=True)
class FilterRule:
    """`seeds` images of each prompt. A score from `shown` shows the concept in a target's image; one from `hidden` in a
    replacement's, which is stricter. At least the share `least` of a target's images must show it, and no replacement's.
    """

    seeds: int = 4
    shown: float = 0.5
    hidden: float = 0.25
    least: float = 0.75

    def __post_init__(self) -> None:
        """Raise `EvalkitError` for numbers that mean nothing."""
        if self.seeds < 1 or not 0 < self.least <= 1 or not 0 < self.hidden <= self.shown:
            raise EvalkitError(
                "the filter needs seeds from 1, a share in (0, 1], and thresholds 0 < hidden <= shown. Mend them"
            )


@dataclass(frozen=True)
class Filtered:
    """A pair with the scores of its images; `reason` is empty where it stays. `fresh`: scores with other seeds."""

    pair: Pair
    target: tuple[float, ...]
    replacement: tuple[float, ...]
    reason: str
    fresh: tuple[float, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether the pair stays."""
        return not self.reason

    def as_dict(self) -> dict[str, Any]:
        """A line of filtered.jsonl: the pair, its id, and what the filter saw."""
        rest = {"target_scores": self.target, "replacement_scores": self.replacement, "fresh_scores": self.fresh}
        return {"id": self.pair.id, **asdict(self.pair), "kept": self.kept, "reason": self.reason, **rest}


def visual_filter(
    pairs: Sequence[Pair],
    generator: Generator,
    recogniser: Recogniser,
    rule: FilterRule,
    sampler: Sampler,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Filtered, ...]:
    """Every pair with its verdict, in order. Seeds depend on `seed` and the pair alone.

    Raises `EvalkitError` for a prompt of which the generator makes no image.
    """
    progress = progress or Progress()
    progress.start("visual filter", len(pairs))
    found: list[Filtered] = []
    for start in range(0, len(pairs), PART):
        part = pairs[start : start + PART]
        asked = [
            _requests(pair, side, rule.seeds, seed, sampler) for pair in part for side in ("target", "replacement")
        ]
        taken = [_takes(generator, requests) for requests in asked]
        scored = iter(_scored(generator, recogniser, [r for r, takes in zip(asked, taken, strict=True) if takes]))
        scores = [next(scored) if takes else () for takes in taken]
        judged = [_verdict(pair, scores[2 * i], scores[2 * i + 1], rule) for i, pair in enumerate(part)]
        again = [_requests(each.pair, "fresh", rule.seeds, seed, sampler) for each in judged if each.kept]
        fresh = iter(_scored(generator, recogniser, again))
        found += [
            Filtered(each.pair, each.target, each.replacement, "", next(fresh)) if each.kept else each
            for each in judged
        ]
        progress.advance(len(part))
    progress.finish()
    return tuple(found)


def _requests(pair: Pair, stream: str, count: int, seed: int, sampler: Sampler) -> list[Request]:
    prompt = pair.replacement if stream == "replacement" else pair.target
    return [
        Request(
            f"{pair.id}-{stream}-{k}", prompt=prompt, seed=stream_seed(seed, f"{stream}/{pair.id}", k), sampler=sampler
        )
        for k in range(count)
    ]


def _takes(generator: Generator, requests: Sequence[Request]) -> bool:
    try:
        generator.check(requests[0])
    except EvalkitError:
        return False
    return True


def _scored(
    generator: Generator, recogniser: Recogniser, asked: Sequence[Sequence[Request]]
) -> list[tuple[float, ...]]:
    images: list[Pixels] = []
    for made in generator.generate([request for group in asked for request in group]):
        if isinstance(made, Failed):
            raise EvalkitError(f"the filter needs every image, but {made.id} has none: {made.reason}")
        images.append(made.pixels)
    scores = iter(recogniser.scores(images))
    return [tuple(next(scores) for _ in group) for group in asked]


def _verdict(pair: Pair, target: tuple[float, ...], replacement: tuple[float, ...], rule: FilterRule) -> Filtered:
    reason = ""
    if not target or not replacement:
        reason = "the generator cannot take a prompt"
    elif sum(score >= rule.shown for score in target) < rule.least * len(target):
        reason = "the base does not draw the concept"
    elif any(score >= rule.hidden for score in replacement):
        reason = "the replacement shows the concept"
    return Filtered(pair, target, replacement, reason)
