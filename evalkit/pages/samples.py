"""The samples that the page shows as images and texts, with their share of the page's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.metrics.psnr import PSNR
from evalkit.pages.columns import first_protocol, texts
from evalkit.pages.images import BUDGET, Triple, read_triple, triples
from evalkit.pages.text_diff import Piece, differences
from evalkit.runs.store import Run

WORST, TEXTS = 12, 8
WORST_SHARE = 0.7  # of the budget; text pairs have the rest


@dataclass(frozen=True)
class WorstSamples:
    """The worst images of a run; `left` of its kept ones do not fit on the page."""

    shown: list[Triple]
    left: int


@dataclass(frozen=True)
class TextSample:
    """One text: what it says, what was read in the original and in the reconstruction, and the images if kept."""

    row: dict[str, Any]
    reference: str
    original: list[Piece]
    reconstruction: list[Piece]
    images: Triple | None


def worst_samples(runs: Sequence[Run]) -> list[WorstSamples]:
    """For each run the kept pairs with the largest error; by rank, or by PSNR where all were kept."""
    found = []
    for run in runs:
        entries = _kept(run, "worst") or sorted(_kept(run, "kept"), key=_psnr)
        budget = int(BUDGET * WORST_SHARE / len(runs))
        shown = triples(run.path, entries, max(3, WORST // len(runs)), image_side(len(runs)), budget)
        found.append(WorstSamples(shown, len(entries) - len(shown)))
    return found


def text_samples(runs: Sequence[Run]) -> list[list[TextSample]]:
    """For each run the texts that suffered most."""
    return [_texts(run, max(2, TEXTS // len(runs)), len(runs)) for run in runs]


def image_side(runs: int) -> int:
    """Largest side of an image on a page over that many runs."""
    return 512 if runs == 1 else 384 if runs <= 4 else 256


def _texts(run: Run, most: int, runs: int) -> list[TextSample]:
    images = {str(p["id"]): p for kind in ("kept", "text") for p in _kept(run, kind)}
    budget = int(BUDGET * (1 - WORST_SHARE) / runs)
    made = []
    for row in texts(run, most):
        entry = images.get(row["id"])
        triple = read_triple(run.path, entry, image_side(runs)) if entry else None
        if triple is not None:
            budget -= triple.size
        truth, read = row["text_truth"], row["text_original"] or ""
        made.append(
            TextSample(
                row,
                "the true text" if truth is not None else "the OCR of the original",
                differences(truth if truth is not None else read, read),
                differences(truth if truth is not None else read, row["text_reconstruction"]),
                triple if budget >= 0 else None,
            )
        )
    return made


def _kept(run: Run, kind: str) -> list[dict[str, Any]]:
    mine = [p for p in run.images if p["kind"] == kind and p["protocol"] == first_protocol(run)]
    return sorted(mine, key=lambda p: (p["rank"], str(p["id"])))


def _psnr(entry: dict[str, Any]) -> float:
    value = entry["scores"].get(PSNR.name)
    return float("inf") if value is None else float(value)
