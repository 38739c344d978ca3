"""A list for each place of the code map: every code is a coin of its own, repeats too.

Fixed lists count a repeated code once, so an image with few distinct codes can hold no evidence. Here a place and its
code are the coin: N places are N coins, whatever stands in them, and the exact null is Binomial(N, gamma). The price is
that places must be found again: a crop or a shift by whole cells moves every code to another list. The idea is that of
position-seeded lists for text; nothing of it is in the LBW paper's abstract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.watermark.exact import binomial_log_tail, pooled, smallest_log_p
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Codes, Colours, Mark, check_codes, raise_green
from evalkit.watermark.methods.near import check_groups, clusters_of, groups_digest
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.score import Scores
from evalkit.watermark.spec import MarkSpec

DOMAIN = "evalkit-places/1"
MOST = 2**30  # colours that are held


class Places(Mark):
    """`kinds` int64 [V]: what is coloured at a place, a code or the cluster that it belongs to."""

    method, lists = "places", 1

    def __init__(self, spec: MarkSpec, key: Key, tokenizer: str, kinds: npt.NDArray[np.int64]) -> None:
        self.spec, self.key, self.tokenizer, self.kinds = spec, key, tokenizer, kinds
        self.gamma, self.count = spec.gamma or 0.5, int(kinds.max()) + 1
        self._rows: list[Colours] = []

    def as_dict(self) -> dict[str, Any]:
        """Method, numbers, the clusters' sha256 and key_id."""
        return {**self.spec.as_dict(), "key_id": self.key.id}

    def list_of(self, what: str | int) -> int:
        """There is one."""
        return 0

    def green_at(self, places: Sequence[int]) -> Colours:
        """bool [n, kinds]: what is green at each of the places."""
        if (max(places, default=0) + 1) * self.count > MOST:
            raise EvalkitError(f"{max(places) + 1} places of {self.count} codes are too many; give fewer --clusters")
        while len(self._rows) <= max(places, default=-1):
            draws = self.key.numbers(self.count, DOMAIN, self.tokenizer, self.spec.epoch or "0", len(self._rows))
            self._rows.append(draws < np.uint64(int(self.gamma * 2**64)))
        return np.stack([self._rows[place] for place in places])

    def score(self, codes: Codes) -> Scores:
        """The exact test over places; z is the same count, normalised."""
        check_codes(codes, len(self.kinds))
        n = (codes >= 0).sum(1)
        green = self._coloured(codes).sum(1) if codes.size else n
        one = np.ones(len(codes))
        log_p = binomial_log_tail(green, n, self.gamma)
        spread = np.sqrt(np.maximum(n, 1) * self.gamma * (1 - self.gamma))
        z = np.where(n > 0, (green - self.gamma * n) / spread, 0.0)
        floor = pooled(smallest_log_p(n, self.gamma), one)
        return Scores(n, n, np.where(n > 0, one, 0.0), np.zeros(len(codes), np.int64), green, log_p, log_p, floor, z)

    def colours(self, codes: Codes, list_id: int) -> Colours:
        """Each code by its place's list."""
        found: Colours = self._coloured(np.asarray(codes)[None])[0]
        return found

    def units(self, codes: Codes) -> npt.NDArray[np.int64]:
        """Place and code as one number."""
        now = np.asarray(codes, dtype=np.int64)
        return np.where(now < 0, -1, np.arange(len(now)) * self.count + self.kinds[np.maximum(now, 0)])

    def bias(self, logits: Tensor, step: Step, delta: float) -> Tensor:
        """Green logits raised, each place by its own list."""
        return raise_green(logits, np.repeat(self._green(step.positions)[None], len(logits), 0), delta)

    def green_places(self, list_id: int, count: int) -> Colours:
        """bool [count, V]: each place's own."""
        return self._green(range(count))

    def green_codes(self, list_id: int) -> Colours:
        """There is no one list for all places: raises `EvalkitError`."""
        raise EvalkitError("places colours a code by its place; give --method lbw where one list is needed")

    def _green(self, places: Sequence[int]) -> Colours:
        """bool [n, V]; a place with no green cluster has all codes, for nothing can be done there."""
        green: Colours = self.green_at(places)[:, self.kinds]
        green[~green.any(1)] = True
        return green

    def _coloured(self, codes: Codes) -> Colours:
        """bool [B, N]."""
        green = self.green_at(range(codes.shape[1]))
        found: Colours = green[np.arange(codes.shape[1]), self.kinds[np.maximum(codes, 0)]] & (codes >= 0)
        return found


def places(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """The mark of codes at their places, or with `clusters` of near codes at their places."""
    vocabulary = subject.indices("places")
    if spec.clusters is None:
        return Places(spec, key, subject.tokenizer, np.arange(vocabulary))
    found = clusters_of(subject.vectors("places"), spec.clusters)
    check_groups(groups_digest(found), spec.groups, "places")
    return Places(replace(spec, groups=groups_digest(found)), key, subject.tokenizer, found)
