"""DiPmark (arXiv 2310.07710), and with `reweight` 1/2 the gamma-reweighting of arXiv 2310.10669.

The secret numbers put the codes in an order. Cumulative probabilities C along it become max(C - a, 0) + max(C - 1 + a, 0)
with a = `reweight`: the first codes lose what the last ones gain, and over random orders nothing changes. The codes of the
last share `gamma` are green. A context's codes are in a uniformly random order, so green ones are fair coins.
"""

from __future__ import annotations

import math

import numpy as np

from evalkit.watermark.exact import binomial_log_tail
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Colours, Mark
from evalkit.watermark.methods.drawn import DrawnMark, Floats, Ints, Numbers
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.spec import MarkSpec


class DiPMark(DrawnMark):
    """Fair coins, one a context."""

    def __init__(self, spec: MarkSpec, key: Key, tokenizer: str, vocabulary: int) -> None:
        super().__init__(spec, key, tokenizer, vocabulary)
        self.reweight = 0.5 if spec.reweight is None else spec.reweight
        self.reds = vocabulary - round((spec.gamma or 0.5) * vocabulary)

    def law(self, law: Floats, numbers: Numbers) -> Floats:
        """Mass moved from the first codes of the order to the last."""
        order = np.argsort(numbers, kind="stable")
        mass = np.cumsum(law[order])
        mass /= mass[-1]
        moved = np.maximum(mass - self.reweight, 0) + np.maximum(mass - 1 + self.reweight, 0)
        found = np.zeros(len(law))
        found[order] = np.diff(moved, prepend=0.0)
        return found

    def values(self, rows: Numbers, codes: Ints) -> tuple[Floats, Colours]:
        """1 for codes among the last of their order."""
        green = (rows < rows[np.arange(len(codes)), codes][:, None]).sum(1) >= self.reds
        return green.astype(np.float64), green

    def worth(self, numbers: Numbers) -> Floats:
        """A coin of the green share."""
        return (numbers >= np.uint64(self.reds / self.vocabulary * 2.0**64)).astype(np.float64)

    def log_tail(self, total: float, count: int) -> float:
        """Binomial."""
        return float(binomial_log_tail(round(total), count, 1 - self.reds / self.vocabulary))

    def log_floor(self, count: int) -> float:
        """All green."""
        return count * math.log(1 - self.reds / self.vocabulary)


def dipmark(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """The mark on the codes of `subject`."""
    return DiPMark(spec, key, subject.tokenizer, subject.indices("dipmark"))
