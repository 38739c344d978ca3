"""How much of a text survived: character and word error rates, normalised edit distance, word recall.

Rates of a set are summed edits over summed lengths, so every function gives counts. Text is compared by code points
after NFC normalisation and with runs of white space folded to one blank (`tidy`), case kept; `cer` and `wer` follow
jiwer's defaults on the strings as they are. VTBench's "WER" is characters per word: see `rejoined_edits`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein


@dataclass(frozen=True)
class TextScores:
    """Counts and rates of one (reference, hypothesis) pair.

    `chars`, `words`: lengths of the reference. `rejoined_edits`: character edits between the words of both joined by
    single blanks (what VTBench divides by words). `ned`: edits over the longer length, in [0, 1].
    """

    chars: int
    char_edits: int
    words: int
    word_edits: int
    rejoined_edits: int
    words_found: int
    ned: float

    @property
    def cer(self) -> float:
        """Character edits per reference character (for an empty reference: the number of inserted characters)."""
        return self.char_edits / max(self.chars, 1)

    @property
    def wer(self) -> float:
        """Word edits per reference word (for an empty reference: the number of inserted words)."""
        return self.word_edits / max(self.words, 1)

    @property
    def characters_per_word(self) -> float:
        """VTBench's "WER": character edits per reference word, 0 for an empty reference."""
        return self.rejoined_edits / self.words if self.words else 0.0

    @property
    def word_recall(self) -> float:
        """Share of the reference's words (as a multiset) that the hypothesis holds; 1 for an empty reference."""
        return self.words_found / self.words if self.words else 1.0


def tidy(text: str) -> str:
    """NFC, white space folded to single blanks, ends stripped.

    >>> tidy("  two\\n lines ")
    'two lines'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def compare(reference: str, hypothesis: str, *, as_they_are: bool = False) -> TextScores:
    """Scores of `hypothesis` against `reference`; both are tidied first unless `as_they_are`.

    >>> scores = compare("OPEN DAILY", "OPEN DALY")
    >>> scores.char_edits, scores.word_edits, scores.word_recall
    (1, 1, 0.5)
    """
    if not as_they_are:
        reference, hypothesis = tidy(reference), tidy(hypothesis)
    wanted, found = reference.split(), hypothesis.split()
    edits = Levenshtein.distance(reference, hypothesis)
    longer = max(len(reference), len(hypothesis))
    return TextScores(
        chars=len(reference),
        char_edits=edits,
        words=len(wanted),
        word_edits=Levenshtein.distance(wanted, found),
        rejoined_edits=Levenshtein.distance(" ".join(wanted), " ".join(found)),
        words_found=sum((Counter(wanted) & Counter(found)).values()),
        ned=edits / longer if longer else 0.0,
    )


def cer(reference: str, hypothesis: str) -> float:
    """Character error rate with jiwer's conventions: ends stripped; an empty reference gives the inserted count."""
    wanted, found = reference.strip(), hypothesis.strip()
    return Levenshtein.distance(wanted, found) / max(len(wanted), 1)


def wer(reference: str, hypothesis: str) -> float:
    """Word error rate with jiwer's conventions: runs of white space folded, then split at blanks only."""
    wanted, found = _jiwer_words(reference), _jiwer_words(hypothesis)
    return Levenshtein.distance(wanted, found) / max(len(wanted), 1)


def vtbench_rates(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[float, float]:
    """VTBench's corpus CER and "WER" (character edits per word) of texts as they are; 0 where nothing is to be read."""
    pairs = [compare(r, h, as_they_are=True) for r, h in zip(references, hypotheses, strict=True)]
    chars, words = sum(p.chars for p in pairs), sum(p.words for p in pairs)
    cer_value = sum(p.char_edits for p in pairs) / chars if chars else 0.0
    return cer_value, sum(p.rejoined_edits for p in pairs) / words if words else 0.0


def _jiwer_words(text: str) -> list[str]:
    return [word for word in re.sub(r"\s\s+", " ", text).strip().split(" ") if word]
