"""Conditions of a continuous integration: B may not be worse than A in a metric by more than a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import EvalkitError
from evalkit.leaderboard.compare import Comparison, Pair
from evalkit.pages.labels import metric_label
from evalkit.text import interval_text, number_text


@dataclass(frozen=True)
class Gate:
    """A metric, and by how much of its unit B may be worse."""

    metric: str
    margin: float = 0.0


@dataclass(frozen=True)
class Judged:
    """What became of a gate for one pair."""

    gate: Gate
    pair: Pair
    failed: bool

    @property
    def sentence(self) -> str:
        """Whether B is surely worse by more than the margin."""
        loss, low, high = self.pair.loss
        word = "is worse by more than" if self.failed else "is not surely worse by more than"
        margin = number_text(self.gate.margin)
        return (
            f"{metric_label(self.gate.metric)} on {self.pair.board.terms.dataset}: {self.pair.b.name} {word} {margin} "
            f"(loss {number_text(loss)}, 95 % interval {interval_text(low, high)})"
        )


def parse_gate(text: str) -> Gate:
    """From METRIC or METRIC:MARGIN; anything else is an `EvalkitError`.

    >>> parse_gate("psnr:0.1")
    Gate(metric='psnr', margin=0.1)
    """
    metric, _, given = text.partition(":")
    try:
        margin = float(given) if given else 0.0
    except ValueError:
        margin = math.nan
    if not metric or not 0 <= margin < math.inf:
        raise EvalkitError(f"{text!r} is no condition; give METRIC or METRIC:MARGIN, with a margin from 0 in its unit")
    return Gate(metric, margin)


def judge(comparison: Comparison, gates: Sequence[Gate]) -> tuple[Judged, ...]:
    """Every gate for every pair of its metric: it fails where the interval of the loss lies wholly beyond the margin.

    Raises `EvalkitError` where a gate's metric was not compared with every run or has no interval, so that nothing
    passes unseen.
    """
    found = []
    for gate in gates:
        pairs = [each for each in comparison.pairs if each.board.terms.metric == gate.metric]
        lost = [each.name for each in comparison.entrants[1:] if each.number not in {p.b.number for p in pairs}]
        if lost:
            known = ", ".join(dict.fromkeys(each.board.terms.metric for each in comparison.pairs))
            raise EvalkitError(f"{lost[0]} was not compared in {gate.metric}; give one of {known}")
        for pair in pairs:
            low = pair.loss[1]
            if low is None:
                raise EvalkitError(
                    f"{gate.metric} of {pair.b.name} cannot be judged ({pair.gap.method}); measure more samples"
                )
            found.append(Judged(gate, pair, low > gate.margin))
    return tuple(found)
