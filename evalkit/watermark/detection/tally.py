"""The best list and view of each image, with every test counted; whole columns, no image by itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.watermark.mark import Codes, Mark

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tally:
    """One row per image: the view and list that speak most for a watermark.

    `log_p_list`: natural log of the list's own p; `log_pool` the same times all lists and the view's price, above 0 at times;
    `log_floor` the smallest `log_pool` that the image could have reached. The other columns: `Scores`.
    """

    view: Ints
    codes: Ints
    distinct: Ints
    design_effect: Floats
    list_id: Ints
    green: Ints
    z_uncalibrated: Floats
    log_p_list: Floats
    log_pool: Floats
    log_floor: Floats

    def __len__(self) -> int:
        return len(self.view)

    def take(self, rows: npt.NDArray[Any]) -> Tally:
        """Some of the images."""
        return Tally(*(getattr(self, each.name)[rows] for each in fields(self)))

    def improved(self, rows: Ints, other: Tally) -> Tally:
        """`other` in the places `rows` where its p is smaller; there the floor is the lower of both."""
        mine = self.take(rows)
        wins = other.log_pool < mine.log_pool
        columns = {each.name: getattr(self, each.name).copy() for each in fields(self)}
        for name, column in columns.items():
            column[rows[wins]] = getattr(other, name)[wins]
        columns["log_floor"][rows] = np.minimum(mine.log_floor, other.log_floor)
        return Tally(**columns)


def tally(codes: Codes, mark: Mark, views: npt.ArrayLike = 0, prices: Floats | None = None) -> Tally:
    """A row for each row of codes [B, N] (or bits [B, N, bits]), which were seen in `views` [B].

    `prices`: by how much p is multiplied for each view (`search.prices`) [1].
    """
    scores = mark.score(codes)
    seen = np.broadcast_to(np.asarray(views, np.int64), (len(codes),))
    price = np.zeros(len(codes)) if prices is None else np.log(prices)[seen]
    beyond = np.maximum(scores.log_p_list + np.log(float(mark.lists)), 0.0)  # orders images whose corrected p is 1
    return Tally(
        seen,
        scores.codes,
        scores.distinct,
        scores.design_effect,
        scores.list_id,
        scores.green,
        scores.z_uncalibrated,
        scores.log_p_list,
        np.where(scores.log_p < 0, scores.log_p, beyond) + price,
        scores.log_p_floor + price,
    )


def best_of_each(rows: Tally, images: Ints) -> Tally:
    """Of rows that belong to `images` [B] (numbers from 0, each with a row) the best of each, first where equal."""
    order = np.lexsort((rows.log_pool, images))
    starts = np.flatnonzero(np.diff(images[order], prepend=-1))
    best = rows.take(order[starts])
    columns = {each.name: getattr(best, each.name) for each in fields(best)}
    columns["log_floor"] = np.minimum.reduceat(rows.log_floor[order], starts)
    return Tally(**columns)
