"""From positions in an image set to the best list and view of each image: read, score, and search in a second stage.

The search and its price are chosen before anything is looked at (`search.prices`), and every p is corrected for it and
for all lists, also where the image itself decides. Stage one looks at each image itself. Only
those whose corrected p is still above alpha are looked at in the other views, so that marked folders cost one encoding
an image, and views are tried in their order until they decide. Looking at fewer views than were paid for can only make
the smallest p larger, so the correction stays valid. Decoy keys are tried in the same views (`contest`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.images.loader import TOO_LARGE
from evalkit.watermark.decoys.base import Decoys
from evalkit.watermark.detection.contest import Contest
from evalkit.watermark.detection.reader import Read, Reader
from evalkit.watermark.detection.search import prices
from evalkit.watermark.detection.tally import Tally, best_of_each, tally
from evalkit.watermark.detection.views import View
from evalkit.watermark.mark import Mark, marks_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
ROWS = 4096  # views that are scored together
STOP = 512  # views of an image after which it is not looked at further where they decide


@dataclass(frozen=True)
class Found:
    """What a scan gives: a `read` for each position, and a row of `best` for each of them that has codes.

    `decoys`: of those the scores under decoy keys; after a search also under the real key, which is last.
    """

    read: list[Read]
    best: Tally
    decoys: Ints | None = None

    @property
    def scored(self) -> Ints:
        """Places in `read` of the rows of `best`."""
        return np.flatnonzero([each.kept is not None for each in self.read])

    @property
    def log_p(self) -> Floats:
        """Natural logs of p, corrected for all lists and views."""
        found: Floats = np.minimum(self.best.log_pool, 0.0)
        return found

    @property
    def statistic(self) -> Floats:
        """-log10 of p times all tests, below 0 where that product is above 1: what calibration compares."""
        found: Floats = -self.best.log_pool / np.log(10.0)
        return found


class Scanner:
    """Looks for one mark (or `Several`) in the images of a reader."""

    def __init__(
        self,
        reader: Reader,
        mark: Mark,
        views: Sequence[View] = (),
        alpha: float = 1e-3,
        decoys: Decoys | None = None,
    ) -> None:
        """`views`: what is tried besides the image itself; `alpha`: images at or below it are not searched.

        With `decoys` those are searched that the exact p leaves open by far, for every key is looked for in each view.
        """
        self.reader, self.mark, self.views, self.decoys = reader, mark, tuple(views), decoys
        self.alpha = min(alpha, Contest(decoys).certain) if decoys is not None else alpha
        self.prices = prices(self.views)
        self._numbers = {view: number for number, view in enumerate(self.views, start=1)}
        if any(view.template for view in self.views):
            reader.seek(tuple(dict.fromkeys(each.key for each in marks_of(mark))))

    def scan(self, positions: Sequence[int], tick: Callable[[int], None] = lambda n: None) -> Found:
        """The images at ascending positions; `tick(n)` after n more were read."""
        read = self.reader.read(positions, tick)
        codes = self.reader.codes([each.kept for each in read if each.kept is not None])
        with self.reader.timers("score"):
            found = Found(read, tally(codes, self.mark, prices=self.prices))
        contest = None if self.decoys is None or not self.views else Contest(self.decoys)
        own = self._own(codes, found.best, contest)
        undecided = np.flatnonzero(found.log_p > np.log(self.alpha)) if self.views else np.zeros(0, np.int64)
        places, best = found.scored, found.best
        if len(undecided):
            best = self._searched(best, undecided, [positions[places[i]] for i in undecided], contest)
        if contest is not None and own is not None:
            with self.reader.timers("decoys"):
                own = contest.settled(own)
        return Found(read, best, own)

    def _own(self, codes: Ints, best: Tally, contest: Contest | None) -> Ints | None:
        """Scores of the images themselves under decoys, and in a contest under the real key."""
        if self.decoys is None:
            return None
        with self.reader.timers("decoys"):
            if contest is None:
                return self.decoys.scores(codes)
            return contest.scores(codes, self.mark.evidence(codes, best.green))

    def codes_of(self, position: int, view: int) -> npt.NDArray[np.int64] | None:
        """Codes of one image under view number `view` (0: itself), None where it cannot be read.

        Raises `MemoryError` where the image does not fit now.
        """
        if view == 0:
            (read,) = self.reader.read([position])
            if read.reason == TOO_LARGE:
                raise MemoryError
            return None if read.kept is None else self.reader.codes([read.kept])[0]
        return next((row for _, row in self.reader.views(position, [self.views[view - 1]])), None)

    def _searched(self, best: Tally, rows: Ints, positions: Sequence[int], contest: Contest | None) -> Tally:
        waiting: list[Ints] = []
        views: list[int] = []
        owners: list[int] = []
        for row, position in zip(rows.tolist(), positions, strict=True):
            for view, codes in self.reader.views(position, self.views):
                number = self._numbers[view]
                waiting.append(codes)
                views.append(number)
                owners.append(row)
                if len(waiting) < ROWS and number % STOP:
                    continue
                best = self._improved(best, waiting, views, owners, contest)
                waiting, views, owners = [], [], []
                if best.log_pool[row] <= np.log(self.alpha):
                    break
        return self._improved(best, waiting, views, owners, contest) if waiting else best

    def _improved(
        self,
        best: Tally,
        codes: Sequence[Ints],
        views: Sequence[int],
        owners: Sequence[int],
        contest: Contest | None,
    ) -> Tally:
        with self.reader.timers("score"):
            seen = np.stack(codes)
            tried = tally(seen, self.mark, views, self.prices)
            images, local = np.unique(np.asarray(owners), return_inverse=True)
            better = best.improved(images, best_of_each(tried, local.astype(np.int64)))
        if contest is not None:
            with self.reader.timers("decoys"):
                contest.add(seen, self.mark.evidence(seen, tried.green), owners)
        return better
