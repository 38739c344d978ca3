"""Images that are judged together: what each mark of a ring finds in them, with its views and its decoy keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from evalkit.watermark.decoys.lean import BLOCK, blocks
from evalkit.watermark.detection.contest import Contest
from evalkit.watermark.detection.tally import Tally, tally
from evalkit.watermark.service.answers import MarkAnswer, Rate
from evalkit.watermark.service.bench import Held
from evalkit.watermark.service.codes import Coder
from evalkit.watermark.service.judging import cut_of, judged
from evalkit.watermark.service.searching import Pixels, improved, views_of

Ints = npt.NDArray[np.int64]


@dataclass
class _Of:
    """What one mark finds, a row for each image by its digest. `own`: the images themselves, `best`: with their views."""

    held: Held
    contest: Contest | None
    rows: dict[str, int] = field(default_factory=dict)
    codes: list[Ints] = field(default_factory=list)
    own: list[Tally] = field(default_factory=list)
    best: list[Tally] = field(default_factory=list)


class Pool:
    """`decoys`: decoy keys decide in all images of the pool together, where a mark has some and no calibration."""

    def __init__(self, held: Sequence[Held], rate: Rate, *, decoys: bool = False) -> None:
        self.rate, self._decoys = rate, decoys
        self._of = [_Of(each, self._contest(each)) for each in held]

    def add(self, codes: Mapping[str, Mapping[str, Ints]], coders: Mapping[str, Coder], pixels: Pixels) -> None:
        """Images by their codes, which are held by tokenizer and digest; those that the pool knows are left out."""
        for each in self._of:
            name = each.held.entry.tokenizer
            fresh = {digest: row for digest, row in codes[name].items() if digest not in each.rows}
            if fresh:
                self._add(each, fresh, coders[name], pixels)

    def marks(self) -> dict[str, list[MarkAnswer]]:
        """What is said of each mark, by the image's digest."""
        found: dict[str, list[MarkAnswer]] = {}
        for each in self._of:
            if each.rows:
                decoys = None if each.contest is None else self._scores(each, each.contest)
                for digest, said in zip(
                    each.rows, judged(_joined(each.best), each.held, self.rate, decoys), strict=True
                ):
                    found.setdefault(digest, []).append(said)
        return found

    def _contest(self, held: Held) -> Contest | None:
        decoys = held.decoys if self._decoys else None
        return None if decoys is None else Contest(decoys)

    def _add(self, of: _Of, fresh: Mapping[str, Ints], coder: Coder, pixels: Pixels) -> None:
        codes = np.stack(list(fresh.values()))
        own = tally(codes, of.held.mark, prices=of.held.prices)
        start, best = len(of.rows), own
        of.rows |= {digest: start + row for row, digest in enumerate(fresh)}
        of.own.append(own)
        if of.contest is not None:
            of.codes.append(codes)
        for row in np.flatnonzero(own.log_pool > self._enough(of)).tolist() if of.held.views else []:
            views = views_of(list(fresh)[row], of.held, coder, pixels)
            if views is None:
                continue
            best, green = improved(best, of.held, row, views)
            if of.contest is not None:
                of.contest.add(views.codes, of.held.mark.evidence(views.codes, green), [start + row] * len(green))
        of.best.append(best)

    def _enough(self, of: _Of) -> float:
        """The log p at and below which an image is not searched."""
        cut = cut_of(self.rate)
        return cut if of.contest is None else min(cut, float(np.log(of.contest.certain)))

    def _scores(self, of: _Of, contest: Contest) -> Callable[[], Iterator[Ints]]:
        """Scores of all images under decoy keys and the real one, the last; kept as small numbers."""
        evidence = of.held.mark.evidence
        parts = zip(of.codes, of.own, strict=True)
        rows = np.concatenate(
            [contest.scores(codes, evidence(codes, own.green)).astype(np.uint32) for codes, own in parts]
        )
        if of.held.views:
            rows = contest.settled(rows.astype(np.int64)).astype(np.uint32)
        return lambda: (block.astype(np.int64) for block in blocks([rows], BLOCK))


def _joined(parts: Sequence[Tally]) -> Tally:
    return Tally(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Tally)))
