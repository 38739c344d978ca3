"""Text preservation as results: against the true text where it is known, and against the OCR of the original."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.metrics.script import WITHOUT_BLANKS
from evalkit.metrics.text import TextScores, compare
from evalkit.protocols import Protocol
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval, ratio_interval
from evalkit.tasks.tokenizer.numbers import measured, unavailable

NOTHING = {
    "truth": "the true texts of these images are empty",
    "original": "the reader found no text in these originals, so there is nothing to compare with",
}


def text_results(dataset: str, part: pa.Table, protocol: Protocol, reason: str | None, seed: int) -> Iterator[Result]:
    """Corpus rates (summed edits over summed lengths) and mean normalised distance, for each reference of the protocol.

    Where several scripts occur, also for each script, as the data set `name[Devanagari]`.
    """
    if reason is not None:
        for reference in protocol.text.references:
            yield unavailable("text", dataset, f"cer_{reference}", protocol, reason)
        return
    yield from _of_rows(dataset, part, protocol, seed)
    scripts = sorted(set(part["script"].drop_null().to_pylist()))
    for script in scripts if len(scripts) > 1 else ():
        rows = part.filter(pc.fill_null(pc.equal(part["script"], script), False))
        for result in _of_rows(f"{dataset}[{script}]", rows, protocol, seed):
            if not (script in WITHOUT_BLANKS and result.metric.startswith(("wer_", "word_recall_"))):
                yield result


def _of_rows(dataset: str, part: pa.Table, protocol: Protocol, seed: int) -> Iterator[Result]:
    for reference in protocol.text.references:
        scores = [
            compare(wanted, found)
            for wanted, found in zip(
                part[f"text_{reference}"].to_pylist(), part["text_reconstruction"].to_pylist(), strict=True
            )
            if wanted is not None and found is not None
        ]
        if scores:
            yield from _rates(scores, reference, dataset, protocol, seed)


def _rates(scores: list[TextScores], reference: str, dataset: str, protocol: Protocol, seed: int) -> Iterator[Result]:
    def column(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([getattr(each, name) for each in scores], np.float64)

    edits = "word_edits" if protocol.text.wer == "words" else "rejoined_edits"
    rates = {
        "cer": ratio_interval(column("char_edits"), column("chars"), seed=seed),
        "wer": ratio_interval(column(edits), column("words"), seed=seed),
        "word_recall": ratio_interval(column("words_found"), column("words"), seed=seed),
        "ned": mean_interval(column("ned"), method="mean", seed=seed),
    }
    for rate, estimate in rates.items():
        if math.isnan(estimate.value):
            estimate = replace(estimate, method=NOTHING[reference])
        yield measured("text", dataset, f"{rate}_{reference}", estimate, protocol)
