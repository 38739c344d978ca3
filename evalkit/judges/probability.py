"""How likely an answer was: token probabilities of judges that state them (VQAScore, Soft-TIFA).

VQAScore (Lin et al. 2024, arXiv:2404.01291) is the probability of "Yes" as the first token; Soft-TIFA (GenEval 2,
arXiv:2512.16853) sums the spellings of an answer's first token. Endpoints state only the likeliest tokens: a spelling
that is not among them is less likely than the last of these, and not impossible.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evalkit.judges.outcome import Reader
from evalkit.judges.parse import NoAnswer
from evalkit.judges.reply import RawReply, Token

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DIGITS = {word: str(n) for n, word in enumerate(_NUMBERS)}
_BLANKS = str.maketrans({"\u2581": " ", "\u0120": " "})  # how tokenizers write a leading blank


@dataclass(frozen=True)
class Likelihood:
    """Probability of an answer: `value`, between `low` (what was stated) and `high` (with all that may be unstated).

    `seen`: whether any spelling was stated; if none was, `value` is the upper bound and not zero.
    """

    value: float
    low: float
    high: float
    seen: bool


def spellings(word: str) -> frozenset[str]:
    """A word as a first token may hold it: either case of its first letter, with and without a blank, as a digit.

    >>> sorted(spellings("two"))
    [' 2', ' Two', ' two', '2', 'Two', 'two']
    """
    plain = {word, word[:1].upper() + word[1:], *([DIGITS[word]] if word in DIGITS else [])}
    return frozenset(plain | {" " + each for each in plain})


def likelihood(token: Token, accepted: Iterable[str]) -> Likelihood:
    """The probability that the token at this place is one of the `accepted` spellings."""
    wanted = set(accepted)
    stated = {text.translate(_BLANKS): math.exp(p) for text, p in (*token.top, (token.text, token.logprob))}
    low = math.fsum(p for text, p in stated.items() if text in wanted)
    unstated = len(wanted - stated.keys())
    rest = max(0.0, 1.0 - math.fsum(stated.values()))
    high = min(1.0, low + min(rest, unstated * min(stated.values())))
    low = min(low, 1.0)
    seen = bool(wanted & stated.keys())
    return Likelihood(low if seen else high, low, high, seen)


def yes_no(token: Token) -> dict[str, Likelihood]:
    """The probabilities of yes and of no at this place."""
    return {word: likelihood(token, spellings(word)) for word in ("yes", "no")}


def probability_reader(answers: Iterable[str], place: int = 0) -> Reader:
    """A reader that gives the `Likelihood` of each of the `answers` at the token number `place`."""
    accepted = {answer: spellings(answer.lower()) for answer in answers}

    def parse(raw: RawReply) -> Mapping[str, Likelihood]:
        if len(raw.tokens) <= place:
            raise NoAnswer("the reply states no token probabilities")
        return {answer: likelihood(raw.tokens[place], words) for answer, words in accepted.items()}

    return Reader(parse, cut_is_fine=True)
