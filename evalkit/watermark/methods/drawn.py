"""Methods that draw codes by the key and leave their distribution as it is: what all of them have in common.

A context, a place or the code before, gives every code a secret number that is uniform on [0, 2^64). A code is drawn
with these numbers in such a way that over random keys it has the model's own probabilities, after temperature and
filters. A context that comes again in an image would bring the same numbers, so its code is drawn by the image's own
random numbers instead, and the detector counts the first code of each context alone. So one image has exactly the
model's distribution, over keys, and the test is exact. Two images of one list share their numbers and are no longer
independent: a larger pool makes that rarer.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.generators.sampling import pick
from evalkit.watermark.exact import pooled
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Codes, Colours, Mark, check_codes
from evalkit.watermark.score import Scores, scores_of
from evalkit.watermark.spec import MarkSpec

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.uint64]
DOMAIN = "evalkit-drawn/1"
KEPT_BYTES = 2**27  # of numbers that are held at once
UNITS = 2**17  # of images that are scored together


class DrawnMark(Mark):
    """A pool of `lists` of numbers; `seeded`: contexts are places, or the code before."""

    def __init__(self, spec: MarkSpec, key: Key, tokenizer: str, vocabulary: int) -> None:
        self.spec, self.key, self.tokenizer, self.vocabulary = spec, key, tokenizer, vocabulary
        self.method, self.lists = spec.method, spec.lists or 1
        self.by_place = spec.seeded == "places"
        self._rows: OrderedDict[tuple[int, int], Numbers] = OrderedDict()

    @abstractmethod
    def law(self, law: Floats, numbers: Numbers) -> Floats:
        """The probabilities [V] that a code is drawn with, from the model's own [V] and a context's numbers [V]."""

    @abstractmethod
    def values(self, rows: Numbers, codes: Ints) -> tuple[Floats, Colours]:
        """(what the codes [U] say, whether each is green) by the numbers [U, V] of their contexts."""

    @abstractmethod
    def worth(self, numbers: Numbers) -> Floats:
        """What codes say whose secret numbers these are, where all others are random."""

    @abstractmethod
    def log_tail(self, total: float, count: int) -> float:
        """log of the chance that values of `count` contexts add up to at least this, over keys."""

    @abstractmethod
    def log_floor(self, count: int) -> float:
        """log of the smallest tail that so many contexts allow."""

    def as_dict(self) -> dict[str, Any]:
        """Method, numbers and key_id."""
        return {**self.spec.as_dict(), "key_id": self.key.id}

    def list_of(self, what: str | int) -> int:
        """By the key, uniform over the pool."""
        said = (DOMAIN, "choose", self.tokenizer, self.spec.epoch or "0", what)
        return int(self.key.numbers(1, *said)[0] % np.uint64(self.lists))

    def draw(self, law: Tensor, draws: Tensor, step: Step) -> Tensor:
        """Codes [B, n] of probabilities [B, n, V]; contexts without numbers, or that were there before, use `draws` [B, n]."""
        if law.shape[-1] != self.vocabulary:
            raise EvalkitError(
                f"the mark is made for {self.vocabulary} codes; the generator chooses among {law.shape[-1]}"
            )
        changed = law.detach().double().cpu().numpy().copy()
        lists = [self.list_of(seed) for seed in step.seeds]
        for row, column, context in self._contexts(step):
            changed[row, column] = self.law(changed[row, column], self.numbers(lists[row], context))
        return pick(torch.from_numpy(changed), draws.cpu()).to(law.device)

    def numbers(self, list_id: int, context: int) -> Numbers:
        """uint64 [V]: those of all codes in a context."""
        at = (list_id, context)
        if at not in self._rows:
            said = (DOMAIN, self.method, self.tokenizer, self.spec.epoch or "0", list_id, context)
            self._rows[at] = self.key.numbers(self.vocabulary, *said)
            while len(self._rows) * self.vocabulary * 8 > KEPT_BYTES:
                self._rows.popitem(last=False)
        self._rows.move_to_end(at)
        return self._rows[at]

    def score(self, codes: Codes) -> Scores:
        """The exact test over the first code of each context."""
        check_codes(codes, self.vocabulary)
        given = [np.asarray(each, dtype=np.int64) for each in codes]
        return scores_of([self._row(row, best) for row, best in zip(given, self._best(given), strict=True)])

    def evidence(self, codes: Codes, green: Ints) -> Ints:
        """The sum of what the codes say, under the list that says most; green codes alone say less."""
        totals = [total for total, _, _ in self._best([np.asarray(each, dtype=np.int64) for each in codes])]
        return np.rint(np.maximum(totals, 0.0)).astype(np.int64)

    def colours(self, codes: Codes, list_id: int) -> Colours:
        """Codes whose numbers speak for the mark; those without a context are not green."""
        given = np.asarray(codes, dtype=np.int64)
        contexts = self._before(given)
        found = np.zeros(len(given), dtype=bool)
        for at in np.flatnonzero(contexts >= 0):
            found[at] = self.values(self.numbers(list_id, int(contexts[at]))[None], given[at : at + 1])[1][0]
        return found

    def units(self, codes: Codes) -> Ints:
        """Context and code as one number; -1 where there is no context, or it was there before."""
        given = np.asarray(codes, dtype=np.int64)
        return np.where(self._first(given), self._before(given) * self.vocabulary + given, -1)

    def bias(self, logits: Tensor, step: Step, delta: float) -> Tensor:
        """Logits stay as they are; codes are drawn by `draw`."""
        return logits

    def green_codes(self, list_id: int) -> Colours:
        """Nothing is marked afterwards: raises `EvalkitError`."""
        raise EvalkitError(f"{self.method} marks images while they are generated; to mark a folder give --method lbw")

    def _row(self, codes: Ints, best: tuple[float, int, int]) -> tuple[float, ...]:
        n, count = int((codes >= 0).sum()), int(self._first(codes).sum())
        total, list_id, green_count = best
        log_p = self.log_tail(total, count) if count else 0.0
        corrected = [float(pooled(each, self.lists)) for each in (log_p, self.log_floor(count) if count else 0.0)]
        z = (2 * green_count - count) / np.sqrt(count) if count else 0.0
        return n, count, n / max(count, 1), list_id, green_count, log_p, *corrected, float(z)

    def _best(self, rows: Sequence[Ints]) -> list[tuple[float, int, int]]:
        """Of the codes of each image (what they say, list, green codes) under the list that says most."""
        units = [self.units(row) for row in rows]
        units = [each[each >= 0] for each in units]
        blocks = np.cumsum([len(each) for each in units]) // UNITS
        found: list[tuple[float, int, int]] = []
        for block in np.unique(blocks):
            part = [units[at] for at in np.flatnonzero(blocks == block)]
            kinds, where = np.unique(np.concatenate(part), return_inverse=True)
            values, green = self._values(kinds)
            for at in np.split(where, np.cumsum([len(each) for each in part])[:-1]):
                totals = np.take(values, at, axis=1).sum(1)
                best = int(totals.argmax())
                found.append((float(totals[best]), best, int(green[best, at].sum())) if len(at) else (-np.inf, 0, 0))
        return found

    def _values(self, kinds: Ints) -> tuple[Floats, Colours]:
        """(what they say, whether they are green), each [lists, U], of ordered units under every list."""
        contexts, codes = kinds // self.vocabulary, kinds % self.vocabulary
        ends = [0, *(np.flatnonzero(np.diff(contexts)) + 1).tolist(), len(kinds)]
        values, green = np.zeros((self.lists, len(kinds))), np.zeros((self.lists, len(kinds)), bool)
        for start, stop in itertools.pairwise(ends if len(kinds) else []):
            for list_id in range(self.lists):
                numbers = np.broadcast_to(self.numbers(list_id, int(contexts[start])), (stop - start, self.vocabulary))
                values[list_id, start:stop], green[list_id, start:stop] = self.values(numbers, codes[start:stop])
        return values, green

    def _contexts(self, step: Step) -> list[tuple[int, int, int]]:
        """(row, column, context) of the codes that are drawn by the key now."""
        if self.by_place:
            return [(row, k, place) for row in range(len(step.seeds)) for k, place in enumerate(step.positions)]
        start, drawn = step.positions.start, int(step.tokens.shape[1])
        if len(step.positions) != 1 or start != drawn:
            raise EvalkitError(
                f"{self.method} draws a code by the one before it here, and this model does not draw one code after "
                "another; give --seeded places"
            )
        if not start:
            return []
        before = step.tokens[:, -1].tolist()
        fresh = (step.tokens[:, :-1] != step.tokens[:, -1:]).all(1).tolist()
        return [(row, 0, code) for row, code in enumerate(before) if fresh[row]]

    def _before(self, codes: Ints) -> Ints:
        """The context of each code [N]; -1 where there is none."""
        if self.by_place:
            return np.where(codes < 0, -1, np.arange(len(codes)))
        before = np.concatenate([[-1], codes[:-1]])
        return np.where(codes < 0, -1, before)

    def _first(self, codes: Ints) -> Colours:
        """bool [N]: codes of a context that was not there before."""
        contexts = self._before(codes)
        first = np.zeros(len(codes), dtype=bool)
        first[np.unique(contexts, return_index=True)[1]] = True
        return first & (contexts >= 0)
