"""GenEval's verdict on one image: whether every clause of its prompt holds, and the official text of why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.encoders.detectors.detection import Detection
from evalkit.errors import EvalkitError
from evalkit.metrics.boxes import relations
from evalkit.tasks.probe.geneval.keep import Kept
from evalkit.tasks.probe.geneval.options import RuleOptions
from evalkit.tasks.probe.geneval.prompts import COLORS, Clause, GenevalPrompt


@dataclass(frozen=True)
class Verdict:
    """`reasons`: what does not hold, in the official words. `kinds`: of each reason missing, color, position or excess."""

    reasons: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    @property
    def correct(self) -> bool:
        """Whether the image does all that its prompt asks for."""
        return not self.reasons

    @property
    def reason(self) -> str:
        """All reasons, one below the other; empty for a correct image."""
        return "\n".join(self.reasons)


def verdict(
    prompt: GenevalPrompt, kept: Kept, options: RuleOptions | None = None, colors: Sequence[str] = COLORS
) -> Verdict:
    """The verdict on an image in which `kept` was found; `colors` is the order in which reasons list them.

    Include clauses look at the `count` surest instances of their class alone, one clause after the other; the target
    of a relation must have held itself. Raises `EvalkitError` where a colour is needed that nobody was asked for.
    """
    options = options or RuleOptions()
    said: list[tuple[str, str]] = []
    groups: list[Sequence[Detection] | None] = []
    for clause in prompt.include:
        found = kept.get(clause.name, [])[: clause.count]
        lacks = _missing(clause, found) or _color(clause, found, colors) or _position(clause, found, groups, options)
        said += [lacks] if lacks else []
        groups.append(None if lacks else found)
    for clause in prompt.exclude:
        there = len(kept.get(clause.name, []))
        if there >= clause.count:
            said.append(("excess", f"expected {clause.name}<{clause.count}, found {there}"))
    return Verdict(tuple(text for _, text in said), tuple(kind for kind, _ in said))


def _missing(clause: Clause, found: Sequence[Detection]) -> tuple[str, str] | None:
    if len(found) >= clause.count:
        return None
    return "missing", f"expected {clause.name}>={clause.count}, found {len(found)}"


def _color(clause: Clause, found: Sequence[Detection], colors: Sequence[str]) -> tuple[str, str] | None:
    if clause.color is None:
        return None
    seen = [each.color for each in found]
    if None in seen:
        raise EvalkitError(f"the evidence holds no colour of a {clause.name}. Make it again with colours")
    right = seen.count(clause.color)
    if right >= clause.count:
        return None
    listed = ", ".join(f"{seen.count(color)} {color}" for color in colors if color in seen)
    return "color", f"expected {clause.color} {clause.name}>={clause.count}, found {right} {clause.color}; and {listed}"


def _position(
    clause: Clause, found: Sequence[Detection], groups: Sequence[Sequence[Detection] | None], options: RuleOptions
) -> tuple[str, str] | None:
    if clause.relation is None:
        return None
    targets = groups[clause.target]
    if targets is None:
        return "position", f"no target for {clause.name} to be {clause.relation}"
    for each in found:
        for target in targets:
            true = relations(each.box, target.box, options.position_threshold)
            if clause.relation not in true:
                said = f"expected {clause.name} {clause.relation} target, found {' and '.join(true)} target"
                return "position", said
    return None
