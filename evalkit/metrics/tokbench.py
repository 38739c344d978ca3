"""Words and faces that a reconstruction still shows, by how large they were (TokBench, arXiv:2505.18142).

A word's ratio is the longer side of its box for each character, as a share of the image's longer side. Words of three
ranges of ratios are averaged apart, and the score is the mean of the three, so that small words count as much as large
ones. Source: wjf5203/TokBench a77070c, compute_all_metrics.py and doctr/utils/metrics.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from rapidfuzz.distance import Levenshtein

from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Metric, NotMeasured, Pair, Parts

TASK, FACE_TASK = "tokbench-text", "tokbench-face"
RECOGNISER, EMBEDDER = "recogniser", "sface"
COLUMN = "tokbench_words"  # of a row: JSON of [setting, [[ratio, accuracy, ned], …]]
FACES = "tokbench_faces"  # of a row: JSON of [setting, [[ratio, similarity], …]]
Kind = Literal["text", "face"]
RANGES: Mapping[Kind, Mapping[int, tuple[float, ...]]] = {
    "text": {256: (0.02, 0.03, 0.04, 1.0), 512: (0.01, 0.02, 0.03, 1.0), 1024: (0.005, 0.01, 0.02, 1.0)},
    "face": {256: (0.0, 0.1, 0.2, 1.0), 512: (0.0, 0.05, 0.2, 1.0), 1024: (0.0, 0.05, 0.1, 1.0)},
}
GROUPS = ("small", "medium", "large")


@dataclass(frozen=True)
class Word:
    """A word of an image: its text and ratio, and what was read of it."""

    truth: str
    ratio: float
    read: str


def setting_of(side: int) -> int:
    """The nearest of TokBench's three sides, on a scale of powers of two.

    >>> setting_of(384), setting_of(256)
    (512, 256)
    """
    return min(RANGES["text"], key=lambda each: (abs(math.log2(each / side)), -each))


def group_of(ratio: float, setting: int, kind: Kind = "text") -> int | None:
    """0 small, 1 medium, 2 large; None for what lies in no range. A range holds its lower end alone."""
    ends = RANGES[kind][setting]
    return next((n for n in range(3) if ends[n] <= ratio < ends[n + 1]), None)


def word_scores(truth: str, read: str) -> tuple[float, float]:
    """(1 where both are equal letter by letter, 1 - edits / longer length).

    >>> word_scores("THE", "the")
    (0.0, 0.0)
    """
    longest = max(len(truth), len(read))
    return float(truth == read), 1 - Levenshtein.distance(truth, read) / longest if longest else 1.0


def ratio_of(box: Sequence[float], text: str, height: int, width: int) -> float:
    """The ratio of a word with the box (left, top, right, bottom), where its annotation has none."""
    return max(box[2] - box[0], box[3] - box[1]) / max(len(text), 1) / max(height, width)


def word_columns(pair: Pair) -> Mapping[str, Any]:
    """The scores of the pair's words, or nothing where it has none."""
    setting, words = pair.evidence[RECOGNISER]
    scores = [[word.ratio, *word_scores(word.truth, word.read)] for word in words]
    return {COLUMN: json.dumps([setting, scores]) if scores else None}


def face_columns(pair: Pair) -> Mapping[str, Any]:
    """The similarities of the pair's faces, or nothing where it has none."""
    setting, faces = pair.evidence[EMBEDDER]
    return {FACES: json.dumps([setting, faces]) if faces else None}


@dataclass(frozen=True)
class MeanOfGroups:
    """The mean of the three groups' means, or one group's mean; whole images are drawn.

    `place`: of the number in what `column` holds of a word or a face.
    """

    place: int
    group: str = ""
    column: str = COLUMN
    kind: Kind = "text"

    def __call__(self, parts: Parts) -> Estimate | None:
        """The estimate; None for images without words. Raises `NotMeasured` where a group has none."""
        from evalkit.stats.combined import weighted_sum

        groups = _groups(parts, self.column, self.kind)
        if not any(groups):
            return None
        wanted = [GROUPS.index(self.group)] if self.group else range(len(GROUPS))
        found = [self._mean(groups[number], GROUPS[number], parts.range) for number in wanted]
        return found[0] if self.group else weighted_sum(found)

    def _mean(
        self, words: list[tuple[int, list[float]]], name: str, limits: tuple[float | None, float | None]
    ) -> Estimate:
        from evalkit.stats.intervals import mean_interval

        if not words:
            raise NotMeasured(f"no {'word' if self.kind == 'text' else 'face'} is of the {name} ones")
        return mean_interval([word[self.place] for _, word in words], clusters=[row for row, _ in words], range=limits)


def _groups(parts: Parts, column: str, kind: Kind) -> list[list[tuple[int, list[float]]]]:
    """(row, word or face) of each group; those of all images are pooled."""
    groups: list[list[tuple[int, list[float]]]] = [[] for _ in GROUPS]
    for row, said in enumerate(parts.rows[column].to_pylist()):
        if said is not None:
            setting, found = json.loads(said)
            for each in found:
                number = group_of(each[0], setting, kind)
                if number is not None:
                    groups[number].append((row, each))
    return groups


def _declared(name: str, label: str, title: str, place: int, group: str) -> Metric:
    return Metric(
        name=f"tokbench_{name}_rapidocr{'_' + group if group else ''}",
        label=f"{label}{', ' + group if group else ''} (PP-OCRv6)",
        title=f"{title}, {group + ' words' if group else 'mean of small, medium and large words'}, read by PP-OCRv6",
        better="higher",
        level="pair",
        task=TASK,
        source="arXiv:2505.18142",
        low=0.0,
        high=1.0,
        needs=(RECOGNISER,),
        columns=(pa.field(COLUMN, pa.string()),),
        compute=word_columns,
        aggregate=MeanOfGroups(place, group),
        family="tokbench",
        shown=frozenset() if group else frozenset({"headline"}),
    )


def _of_faces(group: str) -> Metric:
    return Metric(
        name=f"tokbench_face_similarity_sface{'_' + group if group else ''}",
        label=f"F-Sim{', ' + group if group else ''} (SFace)",
        title=f"cosine of faces, {group + ' faces' if group else 'mean of small, medium and large faces'}, by SFace",
        better="higher",
        level="pair",
        task=FACE_TASK,
        source="arXiv:2505.18142",
        low=-1.0,
        high=1.0,
        needs=(EMBEDDER,),
        columns=(pa.field(FACES, pa.string()),),
        compute=face_columns,
        aggregate=MeanOfGroups(1, group, FACES, "face"),
        family="tokbench",
        shown=frozenset() if group else frozenset({"headline"}),
    )


WORDS = tuple(
    _declared(name, label, title, place, group)
    for name, label, title, place in (
        ("accuracy", "T-ACC", "words read letter by letter", 1),
        ("ned", "T-NED", "1 - edits / length of words", 2),
    )
    for group in ("", *GROUPS)
)
DECLARED = (*WORDS, *(_of_faces(group) for group in ("", *GROUPS)))
