"""From coins to a message: is any message there, which one, and how sure that is.

Three numbers answer three questions. Presence: pilots, coins that every message colours alike, or the best word with
all 2^bits counted; the smaller p of both, doubled. Which message: `probability`, its posterior among those asked about,
given that one of them is there, with an unknown share of surviving coins. Whose: `log_p` of a message among candidates.
A candidate that did not make the image has a word drawn without looking at it (`payload.scramble`), so the share of all
words that agree at least as well is its p. That share is bounded by exponential tilting with the sum over all words,
and multiplied by the number of candidates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp, ndtri_exp

from evalkit.watermark.exact import binomial_log_tail
from evalkit.watermark.payload.trellis import Metrics, Trellis, agreement, best_message, log_sum

LN2 = math.log(2)
UNIT, LEAST, ALMOST = 100, 6.0, -1e-9  # of a weight, in a standard deviation; what is added to it; log p of p almost 1
SHARES = (0.55, 0.62, 0.69, 0.76, 0.83, 0.9, 0.95, 0.99)  # of green coins in a marked image, alike likely
SLOPES = 0.5 * np.log(np.array(SHARES) / (1 - np.array(SHARES)))  # of the log likelihood, a coin that agrees
Roles = tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], npt.NDArray[np.int64]]  # of coins: pilot, window, its bits
TOGETHER = 2**18  # candidates that are held at once


@dataclass(frozen=True)
class Reading:
    """A `word` with its `probability` among those asked about.

    `log_p`: that a wrong one of the candidates agrees so well; 0 where every word was asked about.
    """

    word: int
    probability: float
    log_p: float


@dataclass(frozen=True)
class Coins:
    """One image: `pilots` with `pilot_green` of them green, and `data` coins behind `metrics`."""

    trellis: Trellis
    metrics: Metrics
    pilots: int
    pilot_green: int
    data: int

    @classmethod
    def of(cls, trellis: Trellis, roles: Roles, shows: npt.NDArray[np.bool_]) -> Coins:
        """Coins [U] with their roles, and whether each shows parity 1."""
        pilot, windows, masks = roles
        signs = np.where(shows, -1, 1)
        metrics = trellis.metrics(windows[~pilot], masks[~pilot], signs[~pilot])
        return cls(trellis, metrics, int(pilot.sum()), int((pilot & ~shows).sum()), int((~pilot).sum()))

    def presence(self) -> tuple[int, int, float, float]:
        """(best word, its green coins, log p that any message is there, the smallest that could be)."""
        message, green, log_p = self.found()
        count = self.pilots + self.data
        floor = LN2 + min(-self.pilots * LN2, (self.trellis.bits - count) * LN2)
        return message, green, min(0.0, log_p), min(0.0, floor)

    def found(self) -> tuple[int, int, float]:
        """(best word, its green coins, log of what bounds p of a presence, above 0 at times)."""
        message, lead = best_message(self.metrics)
        green = self._green(lead)
        message_p = float(binomial_log_tail(green, self.pilots + self.data, 0.5)) + self.trellis.bits * LN2
        pilot_p = float(binomial_log_tail(self.pilot_green, self.pilots, 0.5))
        return message, green, LN2 + min(message_p, pilot_p)

    def weight(self) -> int:
        """How surely any message is there, from 0 on: p as a normal deviate, which has no long tail over keys."""
        return max(0, round(UNIT * (LEAST - float(ndtri_exp(min(self.found()[2] - LN2, ALMOST))))))

    def read(self) -> Reading:
        """The likeliest of all words."""
        word, lead = best_message(self.metrics)
        return Reading(word, self._posterior(lead, self._sums()), 0.0)

    def among(self, candidates: npt.NDArray[np.uint64]) -> Reading:
        """The likeliest of the words uint64 [C]; the first where several are alike."""
        best, lead, counts = 0, -np.inf, np.zeros(2 * self.data + 1)
        for start in range(0, len(candidates), TOGETHER):
            some = candidates[start : start + TOGETHER]
            leads = agreement(self.trellis, self.metrics, some)
            counts += np.bincount(leads.astype(np.int64) + self.data, minlength=len(counts))
            if leads.max() > lead:
                best, lead = int(some[leads.argmax()]), float(leads.max())
        with np.errstate(divide="ignore"):
            logs, places = np.log(counts), np.arange(len(counts)) - self.data
        sums = np.array([logsumexp(logs + slope * places) for slope in SLOPES])
        as_good = float((self._sums() - lead * SLOPES).min())  # log of at least the number of words that agree as well
        log_p = math.log(len(candidates)) + as_good - math.log((1 << self.trellis.bits) - 1)
        return Reading(best, self._posterior(round(lead), sums), min(0.0, log_p))

    def _sums(self) -> npt.NDArray[np.float64]:
        return np.array([log_sum(self.metrics, slope) for slope in SLOPES])

    def _green(self, lead: int) -> int:
        return self.pilot_green + (self.data + lead) // 2

    def _posterior(self, lead: int, sums: npt.NDArray[np.float64]) -> float:
        """`sums`: for each share the log of the sum of exp(slope * lead) over all words that were asked about."""
        share = np.array(SHARES)
        common = self.pilot_green * np.log(share) + (self.pilots - self.pilot_green) * np.log1p(-share)
        common += self.data / 2 * (np.log(share) + np.log1p(-share))
        return math.exp(min(0.0, float(logsumexp(common + lead * SLOPES) - logsumexp(common + sums))))
