"""Several marks of one tokenizer looked for at once (epochs, keys, methods): their tests are added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.watermark.exact import pooled
from evalkit.watermark.mark import Codes, Colours, Mark
from evalkit.watermark.score import Scores


class Several(Mark):
    """The best of all marks, its p-value corrected for every list of every one. List ids go on from mark to mark."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        """Raises `EvalkitError` where there is none, or they are not of one tokenizer and kind of code."""
        if not marks:
            raise EvalkitError("no mark is given; give at least one --epoch")
        if len({(each.tokenizer, each.reads) for each in marks}) > 1:
            raise EvalkitError(
                "marks that are looked for together are of one tokenizer; run the detector once for each"
            )
        self.marks = tuple(marks)
        first = self.marks[0]
        self.method, self.key, self.tokenizer, self.reads = first.method, first.key, first.tokenizer, first.reads
        self.starts = np.cumsum([0, *(each.lists for each in self.marks)])
        self.lists = int(self.starts[-1])

    def as_dict(self) -> dict[str, Any]:
        """The marks, in the order of their list ids."""
        return {"marks": [each.as_dict() for each in self.marks]}

    def list_of(self, what: str | int) -> int:
        """Nothing is marked with several marks."""
        raise EvalkitError("an image gets one mark; give one --epoch when embedding")

    def score(self, codes: Codes) -> Scores:
        """Each image's row of the mark with the smallest p of a list; z is the largest of all."""
        parts = [each.score(codes) for each in self.marks]
        best = np.stack([each.log_p_list for each in parts]).argmin(0)
        rows = np.arange(len(best))
        found = {name: np.stack([getattr(each, name) for each in parts])[best, rows] for name in _PICKED}
        floors = np.stack([each.log_p_floor - _correction(m) for each, m in zip(parts, self.marks, strict=True)])
        return Scores(
            list_id=found.pop("list_id") + self.starts[best],
            log_p=pooled(found["log_p_list"], self.lists),
            log_p_floor=pooled(floors.min(0), self.lists),
            z_uncalibrated=np.stack([each.z_uncalibrated for each in parts]).max(0),
            **found,
        )

    def evidence(self, codes: Codes, green: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The largest of the marks'."""
        most: npt.NDArray[np.int64] = np.max([each.evidence(codes, green) for each in self.marks], axis=0)
        return most

    def colours(self, codes: Codes, list_id: int) -> Colours:
        """Those of the list's mark."""
        mark, own = self.of(list_id)
        return mark.colours(codes, own)

    def units(self, codes: Codes) -> npt.NDArray[np.int64]:
        """Those of the first mark."""
        return self.marks[0].units(codes)

    def bias(self, logits: Tensor, step: Step, delta: float) -> Tensor:
        """Nothing is marked with several marks."""
        raise EvalkitError("an image gets one mark; give one --epoch when embedding")

    def green_codes(self, list_id: int) -> Colours:
        """Those of the list's mark."""
        mark, own = self.of(list_id)
        return mark.green_codes(own)

    def green_places(self, list_id: int, count: int) -> Colours:
        """Those of the list's mark."""
        mark, own = self.of(list_id)
        return mark.green_places(own, count)

    def of(self, list_id: int) -> tuple[Mark, int]:
        """The mark that a list id belongs to, and the id there."""
        which = int(np.searchsorted(self.starts, list_id, side="right")) - 1
        return self.marks[which], list_id - int(self.starts[which])


_PICKED = ("codes", "distinct", "design_effect", "list_id", "green", "log_p_list")


def _correction(mark: Mark) -> float:
    return float(np.log(mark.lists))
