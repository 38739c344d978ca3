"""What every watermark method is to the rest: colours for generating, for changing afterwards, and a score for codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Pool, list_of
from evalkit.watermark.score import Scores, score_codes

Codes = npt.NDArray[np.integer[Any]]
Colours = npt.NDArray[np.bool_]


class Mark(ABC):
    """A method with its key and tokenizer. `lists`: size of its pool; `reads`: indices [B, N] or bits [B, N, bits]."""

    method: str
    lists: int
    key: Key
    tokenizer: str  # identity: name@sha256
    reads: str = "indices"

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Everything a detector must know but the key: the method, its numbers, key_id."""

    @abstractmethod
    def list_of(self, what: str | int) -> int:
        """Which list of the pool per image gets, by its request's seed or its file's digest."""

    @abstractmethod
    def score(self, codes: Codes) -> Scores:
        """Scores of codes (negative: padding) with p-values that are exact, or too large, under a random key."""

    @abstractmethod
    def colours(self, codes: Codes, list_id: int) -> Colours:
        """Which of the codes [N] (or bits [N, bits]) of one image are green under a list, in their own shape."""

    @abstractmethod
    def units(self, codes: Codes) -> npt.NDArray[np.int64]:
        """What is one coin for the test [N]: equal numbers are coloured together and count once."""

    @abstractmethod
    def bias(self, logits: Tensor, step: Step, delta: float) -> Tensor:
        """Guided logits [B, n, V] with those of green codes raised by `delta` (infinity: only green ones are left)."""

    def published(self, scores: Scores) -> dict[str, npt.NDArray[np.float64]]:
        """The score that the method's authors report, by its name; no p-value follows from it."""
        return {"z": scores.z_uncalibrated}

    def evidence(self, codes: Codes, green: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """What decoy keys are compared by [B]: what is `green`, where methods have no other statistic."""
        return green

    def green_places(self, list_id: int, count: int) -> Colours:
        """What images of `count` codes may be marked with afterwards: bool [V], or [count, V] where places differ."""
        return self.green_codes(list_id)

    def green_codes(self, list_id: int) -> Colours:
        """bool [V]: the green codes of a list. Raises `EvalkitError` for methods whose colours depend on neighbours."""
        raise EvalkitError(
            f"{self.method} colours a code by its neighbours, so images cannot be marked afterwards with it; "
            "give --method lbw"
        )


def marks_of(mark: Mark) -> tuple[Mark, ...]:
    """The marks that are looked for together; itself where it is one."""
    found: tuple[Mark, ...] = tuple(getattr(mark, "marks", (mark,)))
    return found


class LexicalBias(Mark):
    """LBW (arXiv 2506.01011): fixed lists of green codes, one of them for each image."""

    method = "lbw"

    def __init__(self, pool: Pool, key: Key, tokenizer: str, cap: int = 1) -> None:
        self.pool, self.key, self.tokenizer, self.cap = pool, key, tokenizer, cap
        self.lists = pool.scheme.lists

    def as_dict(self) -> dict[str, Any]:
        """Method, scheme, cap and key_id."""
        return {"method": self.method, **self.pool.scheme.as_dict(), "cap": self.cap, "key_id": self.key.id}

    def list_of(self, what: str | int) -> int:
        """By the key, uniform over the pool."""
        return list_of(self.key, self.tokenizer, self.pool.scheme, what)

    def score(self, codes: Codes) -> Scores:
        """The exact test over distinct codes (each counted `cap` times at most)."""
        return score_codes(codes, self.pool, cap=self.cap)

    def colours(self, codes: Codes, list_id: int) -> Colours:
        """Membership of the list."""
        return np.asarray(self.pool.masks[list_id][np.maximum(codes, 0)] & (codes >= 0))

    def units(self, codes: Codes) -> npt.NDArray[np.int64]:
        """The code; for paired lists its group."""
        return np.where(codes < 0, -1, self.pool.units[np.maximum(codes, 0)])

    def green_codes(self, list_id: int) -> Colours:
        """The list itself."""
        green: Colours = self.pool.masks[list_id]
        return green

    def bias(self, logits: Tensor, step: Step, delta: float) -> Tensor:
        """Green logits raised, each row by the list of its request's seed."""
        return raise_green(logits, np.stack([self.green_codes(self.list_of(seed)) for seed in step.seeds]), delta)


def coloured(mark: Mark, codes: Codes, list_id: int) -> tuple[Colours, npt.NDArray[np.int64]]:
    """(green, unit) of each code [N] under a list; a code of bits is green where most of them are, and one unit."""
    green, units = mark.colours(codes, list_id), mark.units(codes)
    if units.ndim > 1:
        units = np.unique(units, axis=0, return_inverse=True)[1].reshape(-1)
    return green if green.ndim == 1 else np.asarray(green.mean(1) >= 0.5), units


def check_codes(codes: Codes, vocabulary: int) -> None:
    """Raise `EvalkitError` where a code lies beyond the mark's vocabulary, as those of another tokenizer do."""
    if codes.size and int(codes.max()) >= vocabulary:
        raise EvalkitError(
            f"codes below {vocabulary} are expected; {int(codes.max())} given. Is this the mark's tokenizer?"
        )


def raise_green(logits: Tensor, green: Colours, delta: float) -> Tensor:
    """`logits` [B, n, V] plus `delta` where `green` [B, V] or [B, n, V]; with infinity the others are minus infinity."""
    allowed = torch.from_numpy(np.ascontiguousarray(green)).to(logits.device)
    if allowed.shape[-1] != logits.shape[-1]:
        raise EvalkitError(
            f"the lists are made for {allowed.shape[-1]} codes; the generator chooses among {logits.shape[-1]}"
        )
    allowed = allowed if allowed.ndim == 3 else allowed[:, None]
    if np.isinf(delta):
        return logits.masked_fill(~allowed, -float("inf"))
    return logits + delta * allowed.to(logits.dtype)
