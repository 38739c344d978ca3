"""Text preservation as metrics: rates against the true text, and against what was read in the original."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Direction, Metric, Pair, Parts, View, floats
from evalkit.metrics.script import script_of
from evalkit.metrics.sums import OWN_MEAN, BySample, Columns, Mask, Sums, own_mean
from evalkit.metrics.text import TextScores, compare, tidy
from evalkit.protocols import Protocol

Reference = Literal["truth", "original"]
Rate = Literal["cer", "wer", "word_recall", "ned"]
READER = "ocr"
TRUTH, ORIGINAL, RECONSTRUCTION = "text_truth", "text_original", "text_reconstruction"
SCRIPT, ERROR = "script", "text_error"
REFERENCES: tuple[Reference, ...] = ("truth", "original")
BY_WORDS = frozenset({"wer", "word_recall"})  # families that say nothing of scripts without blanks
NOTHING = {
    "truth": "the true texts of these images are empty",
    "original": "the reader found no text in these originals, so there is nothing to compare with",
}


@dataclass(frozen=True)
class TextsRead:
    """What a reader found in a pair; None with the `error` where it failed."""

    original: str | None
    reconstruction: str | None
    error: str | None = None


def text_columns(pair: Pair) -> Mapping[str, Any]:
    """The texts, their script, and the rates against each reference of the protocol."""
    read: TextsRead = pair.evidence[READER]
    row: dict[str, Any] = {TRUTH: pair.truth, ORIGINAL: read.original}
    if read.error is not None or read.reconstruction is None:
        return {**row, ERROR: read.error}
    row |= {RECONSTRUCTION: read.reconstruction, SCRIPT: script_of(pair.truth or read.original)}
    for reference in pair.protocol.text.references:
        wanted = row[f"text_{reference}"]
        if wanted is not None:
            scores = compare(wanted, read.reconstruction)
            words = scores.wer if pair.protocol.text.wer == "words" else scores.characters_per_word
            row |= {f"cer_{reference}": scores.cer, f"wer_{reference}": words}
            row |= {f"ned_{reference}": scores.ned, f"word_recall_{reference}": scores.word_recall}
    return row


def images_with_text(task: str | None) -> bool:
    """Images that the data names for text, and all images of data that names none."""
    return task in ("text", None)


@dataclass(frozen=True)
class RateOf:
    """Summed edits over summed lengths, or the mean of `ned`, over the samples with both texts; no row without any."""

    rate: Rate
    reference: Reference

    def __call__(self, parts: Parts) -> Estimate | None:
        """The estimate; nan with the reason where the references are empty."""
        from evalkit.stats.intervals import mean_interval, ratio_interval

        scores = _scores(parts, self.reference)
        if not scores:
            return None

        def column(name: str) -> npt.NDArray[np.float64]:
            return np.array([getattr(each, name) for each in scores], np.float64)

        if self.rate == "ned":
            estimate = mean_interval(column("ned"), method="mean", range=parts.range)
        else:
            edits = {
                "cer": ("char_edits", "chars"),
                "wer": ("word_edits" if parts.protocol.text.wer == "words" else "rejoined_edits", "words"),
                "word_recall": ("words_found", "words"),
            }[self.rate]
            estimate = ratio_interval(column(edits[0]), column(edits[1]), range=parts.range)
        return replace(estimate, method=NOTHING[self.reference]) if math.isnan(estimate.value) else estimate


def _scores(parts: Parts, reference: Reference) -> list[TextScores]:
    key = f"text scores against {reference}"
    if key not in parts.memo:
        wanted, found = (parts.rows[name].to_pylist() for name in (f"text_{reference}", RECONSTRUCTION))
        parts.memo[key] = [
            compare(one, other)
            for one, other in zip(wanted, found, strict=True)
            if one is not None and other is not None
        ]
    scores: list[TextScores] = parts.memo[key]
    return scores


def characters(text: str) -> float:
    """Length of the tidied text."""
    return float(len(tidy(text)))


def words(text: str) -> float:
    """Number of words of the text."""
    return float(len(tidy(text).split()))


@dataclass(frozen=True)
class RateSums:
    """Edits over lengths of the reference, where these give the number; else the mean of the column."""

    reference: str
    unit: Callable[[str], float]
    least: float

    def __call__(self, metric: str, columns: Columns, rows: Mask) -> Iterator[Sums]:
        """Both ways; a rate of 0 is both, and the first counts."""
        mine, lengths = columns.numbers(metric), columns.counted(self.reference, self.unit)
        if mine is not None and lengths is not None:
            keep = rows & ~np.isnan(mine)
            whole = float(lengths[keep].sum())
            if whole > 0:
                sums = mine * np.maximum(lengths, self.least)
                yield Sums(sums, lengths, 1.0, float(sums[keep].sum()) / whole)
        yield from own_mean(metric, columns, rows)


_COLUMNS = (
    *(pa.field(name, pa.string()) for name in (TRUTH, ORIGINAL, RECONSTRUCTION, ERROR)),
    *floats(*(f"{rate}_{reference}" for reference in REFERENCES for rate in ("cer", "wer", "ned", "word_recall"))),
)
_LABELS = {"cer": "CER", "wer": "WER", "word_recall": "Word recall", "ned": "Edit distance"}
_TITLES = {
    "cer": "character error rate, summed edits over summed length",
    "wer": "word error rate, summed edits over summed words",
    "word_recall": "share of the reference's words that are read",
    "ned": "normalised edit distance, mean of edits over the longer length",
}
_AGAINST = {
    "truth": ("true text", "against the true text"),
    "original": ("OCR of original", "against the OCR of the original"),
}


def _has(reference: Reference) -> Callable[[Protocol], bool]:
    return lambda protocol: reference in protocol.text.references


def _sums(rate: Rate, reference: Reference) -> BySample:
    if rate == "ned":
        return OWN_MEAN
    column, unit = f"text_{reference}", characters if rate == "cer" else words
    return BySample(RateSums(column, unit, 0.0 if rate == "word_recall" else 1.0), (column,))


def _declared(rate: Rate, reference: Reference) -> Metric:
    better: Direction = "higher" if rate == "word_recall" else "lower"
    views: frozenset[View] = frozenset({"headline", "spread", "kept"}) if rate == "cer" else frozenset({"full"})
    return Metric(
        name=f"{rate}_{reference}",
        label=f"{_LABELS[rate]}, {_AGAINST[reference][0]}",
        title=f"{_TITLES[rate]}, {_AGAINST[reference][1]}",
        better=better,
        low=0.0,
        high=1.0 if rate in ("ned", "word_recall") else None,
        source="Levenshtein 1966",
        level="pair",
        task="text",
        needs=(READER,),
        columns=_COLUMNS,
        compute=text_columns,
        aggregate=RateOf(rate, reference),
        under=_has(reference),
        images=images_with_text,
        by_sample=_sums(rate, reference),
        family=rate,
        shown=views,
    )


_RATES: tuple[Rate, ...] = ("cer", "wer", "word_recall", "ned")
DECLARED = tuple(_declared(rate, reference) for reference in REFERENCES for rate in _RATES)
CER_TRUTH, (CER_ORIGINAL, WER_ORIGINAL) = DECLARED[0], DECLARED[len(_RATES) :][:2]
