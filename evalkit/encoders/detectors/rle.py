"""Binary masks as run lengths, in the form of COCO's annotation tools, so that other programs read and write them.

Runs go down the columns, one column after the other, and start with a run of zeros (possibly empty). In the text form
each run, from the fourth on, is its difference to the run two before it. A number is written in groups of five bits,
lowest first, as character 48 + group, plus 32 while more groups follow. The top bit of the last group is the sign.
Source of the format: cocodataset/cocoapi, common/maskApi.h.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import EvalkitError

Binary = NDArray[np.bool_]
_LONGEST = 13  # groups of five bits: 65 bits, more than any run of an image


@dataclass(frozen=True, slots=True)
class Mask:
    """A binary mask of `height` x `width` pixels; `counts` is COCO's text form of its runs."""

    height: int
    width: int
    counts: str

    @classmethod
    def of(cls, pixels: Binary) -> Mask:
        """The mask of a bool [H, W] array."""
        return cls(int(pixels.shape[0]), int(pixels.shape[1]), text_of_runs(runs_of(pixels)))

    def decode(self) -> Binary:
        """bool [H, W]. Raises `EvalkitError` where the runs do not fill the mask."""
        return pixels_of(runs_of_text(self.counts), self.height, self.width)


def runs_of(pixels: Binary) -> list[int]:
    """Run lengths down the columns of a bool [H, W] array, zeros first.

    >>> runs_of(np.array([[False, True], [True, True]]))
    [1, 3]
    """
    flat = np.asarray(pixels, bool).ravel(order="F")
    if not flat.size:
        return []
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return [0, *lengths] if flat[0] else lengths


def pixels_of(runs: Sequence[int], height: int, width: int) -> Binary:
    """bool [height, width] of run lengths. Raises `EvalkitError` where they are negative or do not fill the mask."""
    lengths = np.asarray(runs, np.int64)
    if lengths.size and int(lengths.min()) < 0:
        raise EvalkitError("a mask has a run of negative length; write its runs as COCO does")
    if int(lengths.sum()) != height * width:
        raise EvalkitError(
            f"the runs of a mask fill {int(lengths.sum())} pixels of {height} x {width}; give runs of the image's size"
        )
    values = (np.arange(len(lengths)) % 2).astype(bool)
    return np.asarray(np.repeat(values, lengths).reshape(width, height).T)


def text_of_runs(runs: Sequence[int]) -> str:
    """COCO's text form of run lengths.

    >>> text_of_runs([6, 1, 40, 4, 5, 4, 5, 4, 21])
    '61X13mN000`0'
    """
    groups: list[str] = []
    for place, run in enumerate(runs):
        value = run - runs[place - 2] if place > 2 else run
        more = True
        while more:
            low = value & 31
            value >>= 5
            more = value != (-1 if low & 16 else 0)
            groups.append(chr(48 + (low | 32 if more else low)))
    return "".join(groups)


def runs_of_text(text: str) -> list[int]:
    """Run lengths of COCO's text form. Raises `EvalkitError` for characters outside of it, or where it breaks off.

    >>> runs_of_text('61X13mN000`0')
    [6, 1, 40, 4, 5, 4, 5, 4, 21]
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift >= _LONGEST * 5:
            raise EvalkitError(f"a mask holds {character!r}, which no run length has; write its runs as COCO does")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value |= -1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise EvalkitError("the runs of a mask break off; write them again")
    return runs
