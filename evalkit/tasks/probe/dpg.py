"""DPG-Bench's scores (Hu et al. 2024, arXiv:2403.05135): yes/no questions that depend on each other, over four crops.

Overall scores zero a question whose parent was answered no, in the order of the questions, over all crops. Category
scores use the answers before that, and of the last crop only; published numbers carry both.
Source: TencentQQGYLab/ELLA 3c228f1, dpg_bench/compute_dpg_bench.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from evalkit.errors import EvalkitError

YES = "yes"


@dataclass(frozen=True)
class DpgImage:
    """An image's `score` in [0, 1], that of each crop, and the last crop's answers (1 or 0) before dependencies."""

    score: float
    crops: tuple[float, ...]
    plain: Mapping[str, float]


def dpg_image(
    order: Sequence[str], parents: Mapping[str, Sequence[str]], answers: Mapping[str, Sequence[str]]
) -> DpgImage:
    """The scores of one image. `answers`: of each question, one for each crop; only "yes", letter by letter, counts.

    `parents`: ids of the questions that must hold first; "0" is none. Raises `EvalkitError` where answers are missing.
    """
    crops = {len(answers.get(question, ())) for question in order}
    if len(crops) != 1 or 0 in crops or not order:
        raise EvalkitError("an image of DPG-Bench lacks answers. Give one answer to every question for every crop")
    plain: dict[str, float] = {}
    scores = []
    for crop in range(crops.pop()):
        plain = {question: float(answers[question][crop] == YES) for question in order}
        scores.append(fmean(_dependent(order, parents, plain).values()))
    return DpgImage(fmean(scores), tuple(scores), plain)


def category_scores(images: Sequence[tuple[DpgImage, Mapping[str, str]]], *, coarse: bool) -> dict[str, float]:
    """The mean answer of each category over all questions of all images, in per cent.

    Each image comes with the category of each question, such as "attribute - color (a, red)"; `coarse` takes what
    stands before the hyphen.
    """
    groups: dict[str, list[float]] = {}
    for image, names in images:
        for question, value in image.plain.items():
            name = names[question].split("(")[0].strip()
            groups.setdefault(name.split("-")[0].strip() if coarse else name, []).append(value)
    return {name: 100 * fmean(values) for name, values in groups.items()}


def _dependent(
    order: Sequence[str], parents: Mapping[str, Sequence[str]], plain: Mapping[str, float]
) -> dict[str, float]:
    """Answers with those zeroed that have a parent of 0, one after the other, so that zeros pass on along the order."""
    scores = dict(plain)
    for question in order:
        if any(parent != "0" and scores.get(parent) == 0 for parent in parents.get(question, ())):
            scores[question] = 0.0
    return scores
