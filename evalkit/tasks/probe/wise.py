"""WISE (Niu et al. 2025, arXiv:2503.07265): images that need knowledge of the world, in its two incompatible versions.

`wise`: three scores of 0 to 2 from gpt-4o-2024-05-13, which papers report. `wise-verified`: one score of 0 or 1 from
Qwen3.5-35B-A3B, the repository's default since April 2026, with other prompts under the same numbers. Each has 1,000
prompts, one image each. Source: PKU-YuanGroup/WISE, WISE_legacy/Calculate.py and Calculate.py (commit eb51174).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalkit.errors import EvalkitError
from evalkit.judges.aggregates import weighted_categories
from evalkit.judges.naming import metric_name
from evalkit.judges.outcome import Reader, text_reader
from evalkit.judges.parse import Scale, line_scores
from evalkit.judges.policy import Item, Policy
from evalkit.judges.scored import PolicyScore, apply_policy, filled
from evalkit.stats.combined import weighted_sum
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.probe.rows import ProbeScore

CATEGORIES = ("culture", "time", "space", "biology", "physics", "chemistry")
UNIT = Scale(0, 1, whole=False)


@dataclass(frozen=True)
class Wise:
    """One version: the `judge` it names, the last prompt number of each category, weights of categories and of scores.

    An image's score is the sum of weight x score over `parts` (name, weight, highest score), divided by `divisor`.
    """

    name: str
    judge: str
    last: tuple[int, ...]
    weights: Mapping[str, float]
    parts: tuple[tuple[str, float, int], ...]
    divisor: float

    def category(self, number: int) -> str:
        """The category of a prompt by its number, from 1. Raises `EvalkitError` for a number beyond the last."""
        for name, last in zip(CATEGORIES, self.last, strict=True):
            if 1 <= number <= last:
                return name
        raise EvalkitError(f"WISE has no prompt {number}. Its prompts are 1 to {self.last[-1]}")

    def item(self, scores: Mapping[str, float]) -> float:
        """The score of an image in [0, 1] from the judge's scores by name.

        >>> LEGACY.item({"Consistency": 2, "Realism": 1, "Aesthetic Quality": 0})
        0.7999999999999999
        """
        return sum(weight * scores[name] for name, weight, _ in self.parts) / self.divisor

    def reader(self) -> Reader:
        """How the judge's scores are found: lines such as "Consistency: 2"."""
        scales = {name: Scale(0, high) for name, _, high in self.parts}
        return text_reader(lambda text: line_scores(text, scales))

    def numbers(self) -> range:
        """The numbers of all prompts."""
        return range(1, self.last[-1] + 1)


LEGACY = Wise(
    name="wise",
    judge="gpt-4o-2024-05-13",
    last=(400, 567, 700, 800, 900, 1000),
    weights=dict(zip(CATEGORIES, (0.4, 0.167, 0.133, 0.1, 0.1, 0.1), strict=True)),
    parts=(("Consistency", 0.7, 2), ("Realism", 0.2, 2), ("Aesthetic Quality", 0.1, 2)),
    divisor=2,
)
VERIFIED = Wise(
    name="wise-verified",
    judge="Qwen3.5-35B-A3B",
    last=(400, 520, 640, 760, 880, 1000),
    weights=dict(zip(CATEGORIES, (0.4, 0.12, 0.12, 0.12, 0.12, 0.12), strict=True)),
    parts=(("Score", 1.0, 1),),
    divisor=1,
)


def wise_items(values: Mapping[int, float | str], version: Wise) -> list[Item]:
    """An item for every prompt: its score, or the state in which it was lost; "missing" where `values` has no entry."""
    odd = sorted(set(values) - set(version.numbers()))
    if odd:
        raise EvalkitError(f"WISE has no prompt {odd[0]}. Its prompts are 1 to {version.last[-1]}")
    items = []
    for number in version.numbers():
        value = values.get(number, "missing")
        known = None if isinstance(value, str) else float(value)
        state = value if isinstance(value, str) else "answered"
        items.append(Item(str(number), version.category(number), known, state))
    return items


def wise_score(items: Sequence[Item], version: Wise, policy: Policy | str = "abort") -> PolicyScore:
    """The weighted mean of the categories with its bounds; the official script gives no score where one item is lost."""
    return apply_policy(items, policy, UNIT, weighted_categories(version.weights))


def wise_summary(
    items: Sequence[Item], version: Wise, judge: str, policy: Policy | str = "abort"
) -> tuple[ProbeScore, ...]:
    """The overall score and the categories with intervals over prompts, named after a `judge` that is not the official one.

    Raises `EvalkitError` where the policy gives no score.
    """
    score = wise_score(items, version, policy)
    if score.value is None:
        raise EvalkitError(f"{version.name} has no score: {score.reason}. Judge them again, or give another policy")
    name = metric_name(version.name, version.judge, judge)
    groups: dict[str, list[float]] = {category: [] for category in CATEGORIES}
    for category, value in filled(items, policy, UNIT):
        groups[category].append(value)
    parts = {category: mean_interval(values, range=(0.0, 1.0)) for category, values in groups.items()}
    whole = weighted_sum(list(parts.values()), [version.weights[category] for category in parts])
    told = "; ".join(filter(None, [score.losses.warning, f"policy {score.policy}" if score.lost else ""]))
    overall = ProbeScore(name, "", whole, bounds=(score.worst, score.best), note=told)
    return overall, *(ProbeScore(f"{name}/{c}", c, estimate) for c, estimate in parts.items())
