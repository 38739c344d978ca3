"""Patterns of bits, after BitMark (arXiv 2506.21209), for codes whose bits mean something by themselves.

The authors' green patterns are fixed and public ({01, 10}), so that no p-value under a random key exists for them. Here
the key decides, for each place in a code and each run of bits before it in the code, which next bit is green. That is one
coin for each place and run: an image's ones and zeros there are counted, their difference is the coin's weight, and the
tail of the weighted sum of fair coins is exact, however often patterns repeat.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.watermark.exact import coins_log_tail, pooled
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Codes, Colours, Mark
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.score import Scores, scores_of
from evalkit.watermark.spec import MarkSpec

Ints = npt.NDArray[np.int64]
DOMAIN = "evalkit-bits/1"


class BitPatterns(Mark):
    """`bits` of a code; `packed`: a code is an index that holds them, lowest first, else a vector [bits] of 0 and 1."""

    method = "bitmark"

    def __init__(self, spec: MarkSpec, key: Key, tokenizer: str, bits: int, *, packed: bool) -> None:
        self.spec, self.key, self.tokenizer, self.bits, self.packed = spec, key, tokenizer, bits, packed
        self.lists, self.pattern = spec.lists or 1, spec.pattern or 2
        self.reads = "indices" if packed else "bits"
        self.places = bits << (self.pattern - 1)
        draws = [key.numbers(self.places, DOMAIN, tokenizer, spec.epoch or "0", j) for j in range(self.lists)]
        self.wants = (np.stack(draws) >> np.uint64(63)).astype(np.int64)  # [lists, places]: the green next bit

    def as_dict(self) -> dict[str, Any]:
        """Method, numbers and key_id."""
        return {**self.spec.as_dict(), "key_id": self.key.id}

    def list_of(self, what: str | int) -> int:
        """By the key, uniform over the pool."""
        draw = self.key.numbers(1, DOMAIN, "choose", self.tokenizer, self.spec.epoch or "0", what)
        return int(draw[0] % np.uint64(self.lists))

    def score(self, codes: Codes) -> Scores:
        """The exact test over places; the z of all bits beside it, as the authors count."""
        return scores_of([self._row(each) for each in codes])

    def colours(self, codes: Codes, list_id: int) -> Colours:
        """Which bits are green; for packed codes, which codes have more green bits than red ones."""
        green = np.asarray(self._bits(codes) == self.wants[list_id][self._places(codes)])
        return np.asarray(2 * green.sum(-1) > self.bits) if self.packed else green

    def units(self, codes: Codes) -> Ints:
        """The place of each bit, with the bits before it; for packed codes the code."""
        return np.asarray(codes, dtype=np.int64) if self.packed else self._places(codes)

    def bias(self, logits: Tensor, step: Step, delta: float) -> Tensor:
        """Indices [B, n, 2^bits]: a code gains `delta` for every green bit, and hard bias leaves codes of green bits alone.

        Vectors of bits are biased one bit after the other by `bit`.
        """
        if not self.packed:
            return logits
        every = np.arange(1 << self.bits)
        green = (self._bits(every) == self.wants[[self.list_of(s) for s in step.seeds]][:, self._places(every)]).sum(-1)
        if logits.shape[-1] != len(every):
            raise EvalkitError(
                f"the mark is made for {len(every)} codes; the generator chooses among {logits.shape[-1]}"
            )
        counts = torch.from_numpy(green).to(logits.device)[:, None]
        if math.isinf(delta):
            return logits.masked_fill(counts < self.bits, -math.inf)
        return logits + delta * counts.to(logits.dtype)

    def bit(self, logits: Tensor, drawn: Tensor, step: Step, delta: float) -> Tensor:
        """Logits [B, n, 2] of the next bit behind those `drawn` [B, n, k], with the green one raised."""
        at = int(drawn.shape[-1])
        if at >= self.bits:
            raise EvalkitError(f"the mark is made for codes of {self.bits} bits; the generator draws more")
        before = drawn[..., max(0, at - self.pattern + 1) :].cpu().numpy().astype(np.int64)
        places = (at << (self.pattern - 1)) + _number(before)
        lists = np.array([self.list_of(seed) for seed in step.seeds])
        want = torch.from_numpy(self.wants[lists[:, None], places]).to(logits.device)[..., None]
        other = torch.arange(2, device=logits.device) != want
        if math.isinf(delta):
            return logits.masked_fill(other, -math.inf)
        return logits + delta * (~other).to(logits.dtype)

    def green_codes(self, list_id: int) -> Colours:
        """Bits are marked while they are drawn only."""
        raise EvalkitError("bitmark marks images while they are generated; to mark a folder give --method lbw")

    def leans(self, codes: Codes) -> Ints:
        """int64 [B, places]: how many ones more than zeros each image of codes [B, N] (or bits) has at each place."""
        given = [np.asarray(each, dtype=np.int64) for each in codes]
        rows = [self._leans(each[(each if self.packed else each.min(-1)) >= 0])[0] for each in given]
        return np.stack(rows) if rows else np.zeros((0, self.places), np.int64)

    def _leans(self, given: Ints) -> tuple[Ints, Ints]:
        """([places] ones less zeros, [places] bits seen) of an image's codes."""
        bits, places = self._bits(given).ravel(), self._places(given).ravel()
        seen = np.bincount(places, minlength=self.places)
        return 2 * np.bincount(places, bits, self.places).astype(np.int64) - seen, seen

    def _bits(self, codes: Codes) -> Ints:
        given = np.asarray(codes, dtype=np.int64)
        return (given[..., None] >> np.arange(self.bits)) & 1 if self.packed else given

    def _places(self, codes: Codes) -> Ints:
        """int64 [N, bits]: the place of each bit and the run before it, as one number."""
        bits = self._bits(codes)
        run = np.zeros_like(bits)
        for back in range(1, self.pattern):
            run[..., back:] += bits[..., :-back] << (back - 1)
        return (np.arange(self.bits) << (self.pattern - 1)) + run

    def _row(self, codes: Codes) -> tuple[float, ...]:
        given = np.asarray(codes, dtype=np.int64)
        given = given[(given if self.packed else given.min(-1)) >= 0]
        if given.size and (int(given.max()) >> (self.bits if self.packed else 1) or given.shape[1:] != self._shape()):
            raise EvalkitError(
                f"codes of {self.bits} bits are expected; shape {given.shape} with a largest of {int(given.max())} given. "
                "Is this the tokenizer that the mark was made for?"
            )
        lean, seen = self._leans(given)
        n = int(seen.sum())
        weights = np.abs(lean)
        agrees = np.where(self.wants == 1, lean > 0, lean < 0)  # [lists, places]
        sums = agrees @ weights
        best = int(sums.argmax())
        score, heavy = int(sums[best]), weights[weights > 0].tolist()
        log_list = coins_log_tail(score, heavy)
        floor = len(heavy) * math.log(0.5)
        correct = [float(pooled(each, self.lists)) for each in (log_list, floor)]
        z = float((2 * sums.max() - weights.sum()) / math.sqrt(n)) if n else 0.0
        effect = float((seen.astype(np.float64) ** 2).sum() / n) if n else 0.0
        return n, len(heavy), effect, best, score, log_list, *correct, z

    def _shape(self) -> tuple[int, ...]:
        return () if self.packed else (self.bits,)


def bitmark(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """The mark on the bits of the codes of `subject`; raises `EvalkitError` where they mean nothing by themselves."""
    if subject.bits is None:
        raise EvalkitError(
            f"the codes of {subject.tokenizer.partition('@')[0]} are no patterns of bits; give --method lbw, or a "
            "tokenizer of bits such as infinity-d32reg or bsqvit"
        )
    return BitPatterns(spec, key, subject.tokenizer, subject.bits, packed=subject.packed)


def _number(bits: Ints) -> Ints:
    """The last bit counts 1, the one before it 2, and so on."""
    found: Ints = (bits[..., ::-1] << np.arange(bits.shape[-1])).sum(-1)
    return found
