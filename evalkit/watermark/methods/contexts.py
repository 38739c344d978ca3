"""Lists that change with the code before: what KGW and WMAR have in common, with a test that repeats cannot fool.

A list has an exact size in each stratum of codes (KGW: one stratum, all codes). Every pair (code before, code) counts
once, however often it occurs: the distinct codes behind one code before are drawn without replacement from a list of
known size, so their green number is hypergeometric, and those of different codes before are independent. The total's
tail is exact.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.watermark.exact import hypergeometric_log_tail
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Codes, Colours, Mark, check_codes, raise_green
from evalkit.watermark.score import Scores, scores_of
from evalkit.watermark.spec import MarkSpec

Ints = npt.NDArray[np.int64]
DOMAIN = "evalkit-context/1"
KEPT_BYTES = 2**27  # of lists that are held at once, eight codes to a byte


class ContextMark(Mark):
    """One list for all codes (`context` 0), or one for each code before (1); `strata`: int64 [V], 0 to their number - 1."""

    lists = 1

    def __init__(self, spec: MarkSpec, key: Key, tokenizer: str, strata: Ints) -> None:
        self.spec, self.key, self.tokenizer, self.method = spec, key, tokenizer, spec.method
        self.context, self.gamma = spec.context or 0, spec.gamma or 0.25
        self.vocabulary = len(strata)
        self.strata = strata
        self.members = [np.flatnonzero(strata == each) for each in range(int(strata.max()) + 1)]
        self.greens = [round(self.gamma * len(each)) for each in self.members]
        self._rows: OrderedDict[int, npt.NDArray[np.uint8]] = OrderedDict()

    def as_dict(self) -> dict[str, Any]:
        """Method, numbers and key_id."""
        return {**self.spec.as_dict(), "key_id": self.key.id}

    def list_of(self, what: str | int) -> int:
        """There is one pool of one."""
        return 0

    def list_after(self, before: int) -> Colours:
        """bool [V]: the green codes behind the code `before` (any number where the context is 0)."""
        at = before if self.context else -1
        if at not in self._rows:
            draws = self.key.numbers(self.vocabulary, DOMAIN, self.method, self.tokenizer, self.spec.epoch or "0", at)
            green = np.zeros(self.vocabulary, dtype=bool)
            for members, count in zip(self.members, self.greens, strict=True):
                green[members[np.argsort(draws[members], kind="stable")[:count]]] = True
            self._rows[at] = np.packbits(green)
            while len(self._rows) * self.vocabulary > 8 * KEPT_BYTES:
                self._rows.popitem(last=False)
        return np.unpackbits(self._rows[at], count=self.vocabulary).astype(bool)

    def score(self, codes: Codes) -> Scores:
        """Each distinct pair once; the z of all pairs beside it, as the authors count."""
        check_codes(codes, self.vocabulary)
        return scores_of([self._row(np.asarray(each, dtype=np.int64)) for each in codes])

    def colours(self, codes: Codes, list_id: int) -> Colours:
        """Each code by the list behind the one before; what has none before is not green."""
        pairs = self.units(codes)
        found = np.zeros(len(pairs), dtype=bool)
        for before in np.unique(pairs[pairs >= 0] // self.vocabulary):
            here = (pairs >= 0) & (pairs // self.vocabulary == before)
            found[here] = self.list_after(int(before))[pairs[here] % self.vocabulary]
        return found

    def units(self, codes: Codes) -> Ints:
        """The pair as one number: code before * V + code; -1 where one of them is padding."""
        now = np.asarray(codes, dtype=np.int64)
        if not self.context:
            return np.where(now < 0, -1, now)
        before = np.concatenate([[-1], now[:-1]])
        return np.where((now < 0) | (before < 0), -1, before * self.vocabulary + now)

    def bias(self, logits: Tensor, step: Step, delta: float) -> Tensor:
        """Green logits raised, each row by its code before; the first code, which has none, is left alone."""
        if not self.context:
            return raise_green(logits, np.tile(self.list_after(-1), (len(logits), 1)), delta)
        start, drawn = step.positions.start, int(step.tokens.shape[1])
        if len(step.positions) != 1 or start != drawn:
            raise EvalkitError(
                f"{self.method} colours a code by the one before it, and this model does not draw one code after another; "
                "give --context 0 or --method lbw"
            )
        if not start:
            return logits
        return raise_green(logits, np.stack([self.list_after(int(each)) for each in step.tokens[:, -1]]), delta)

    def green_codes(self, list_id: int) -> Colours:
        """The one list where the context is 0."""
        return super().green_codes(list_id) if self.context else self.list_after(-1)

    def _row(self, codes: Ints) -> tuple[float, ...]:
        pairs = self.units(codes)
        pairs = pairs[pairs >= 0]
        distinct, counts = np.unique(pairs, return_counts=True)
        before, code = distinct // self.vocabulary, distinct % self.vocabulary
        if not self.context:
            before = np.full(len(distinct), -1)
        green = np.zeros(len(distinct), dtype=bool)
        draws: list[tuple[int, int, int]] = []
        for start, stop in _runs(before):
            green[start:stop] = self.list_after(int(before[start]))[code[start:stop]]
            drawn = np.bincount(self.strata[code[start:stop]], minlength=len(self.members))
            draws += [(len(m), g, int(u)) for m, g, u in zip(self.members, self.greens, drawn, strict=True) if u]
        n, score = len(pairs), int(green.sum())
        log_p = hypergeometric_log_tail(score, sorted(draws))
        most = sum(min(g, u) for _, g, u in draws)
        z = (counts[green].sum() - self.gamma * n) / np.sqrt(n * self.gamma * (1 - self.gamma)) if n else 0.0
        effect = float((counts.astype(np.float64) ** 2).sum() / n) if n else 0.0
        floor = hypergeometric_log_tail(most, sorted(draws))
        return n, len(distinct), effect, 0, score, log_p, log_p, floor, float(z)


def _runs(ordered: Ints) -> Sequence[tuple[int, int]]:
    bounds = [0, *(np.flatnonzero(np.diff(ordered)) + 1).tolist(), len(ordered)]
    return [pair for pair in itertools.pairwise(bounds) if pair[0] < pair[1]]
