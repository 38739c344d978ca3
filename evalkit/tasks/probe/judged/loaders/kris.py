"""KRIS-Bench: which texts each of its twenty kinds is judged with, and in which order images and their labels are sent.

Sources: yejy53/Echo-4o 28f36d7 (Apache-2.0), eval/gen/kris: metrics_common, _knowledge, _view_change,
_temporal_prediction, _multi_element. In the lists, "@" stands for the edited image and "@NAME" for a source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.tasks.probe.judged.items import rows_of

FILE = "eval/gen/kris/final_data.json"
DIMENSIONS = {
    "attribute": ("count_change", "color_change", "size_adjustment", "part_completion", "anomaly_correction"),
    "spatial": ("viewpoint_change", "position_movement"),
    "temporal": ("temporal_prediction",),
    "social": ("humanities", "practical_knowledge"),
    "natural": ("biology", "chemistry", "geography", "medicine", "mathematics", "physics"),
    "logic": ("abstract_reasoning", "rule-based_reasoning"),
    "decomposition": ("multi-element_composition", "multi-instruction_execution"),
}
_OF = {kind: dimension for dimension, kinds in DIMENSIONS.items() for kind in kinds}
SORTS = {
    "factual": ("attribute", "spatial", "temporal"),
    "conceptual": ("social", "natural"),
    "procedural": ("logic", "decomposition"),
}
_SORT = {dimension: sort for sort, dimensions in SORTS.items() for dimension in dimensions}
PLAIN = ("temporal_prediction", "multi-element_composition")  # whose replies are not searched for the score's name
KNOWING = ("social", "natural", "logic")
_EDITED = ["This is the edited image:", "@"]


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows with their dimension, its sort of knowledge, texts and lists of parts."""
    for row in rows_of(folder / FILE):
        kind = str(row["type"])
        sources = row["ori_img"] if isinstance(row["ori_img"], list) else [row["ori_img"]]
        names = [f"@{kind}/{name}" for name in sources]
        knows = _OF[kind] in KNOWING
        reads = "kris-knowledge" if knows else "kris-plain" if kind in PLAIN else "kris"
        known = {"dimension": _OF[kind], "sort": _SORT[_OF[kind]], "knows": knows, "reads": reads, "frame": 0}
        yield {"explain_en": "", **row, **known, **_asked(kind, names, str(row.get("gt_img") or ""))}


def _asked(kind: str, names: Sequence[str], truth: str) -> dict[str, Any]:
    if kind == "temporal_prediction":
        return _temporal(names)
    if kind == "multi-element_composition":
        parts = [part for n, name in enumerate(names, 1) for part in (f"Reference Image {n}:", name)]
        return _said(
            "prompt_consist_multi", "prompt_instruction_multi", [*parts, "Predicted Image:", "@"], evaluated=True
        )
    both = ["This is the original image:", names[0], *_EDITED]
    if kind == "viewpoint_change":
        followed = [*both, "This is the ground truth image:", f"@{kind}/{truth}"]
        return {**_said("prompt_consist", "prompt_view_instruction_following", both), "followed": followed}
    return _said("prompt_consist", "prompt_instruction_following", both)


def _temporal(names: Sequence[str]) -> dict[str, Any]:
    """Frames in order; the edited one is the one of four that is missing."""
    numbered = {int(found.group(1)): name for name in names if (found := re.search(r"\d+-(\d+)", name))}
    missing = {1, 2, 3, 4} - set(numbered)
    frame = missing.pop() if len(missing) == 1 else max(numbered, default=0) + 1
    order = sorted({**numbered, frame: "@"}.items())
    parts = [
        part for n, name in order for part in (f"Frame {n} ({'Generated' if name == '@' else 'Reference'}):", name)
    ]
    return {**_said("prompt_consist_temporal", "prompt_instruction_temporal", parts, evaluated=True), "frame": frame}


def _said(consistency: str, instruction: str, parts: list[str], *, evaluated: bool = False) -> dict[str, Any]:
    alone = ["This is the image to evaluate:", "@"] if evaluated else _EDITED
    texts = {"consistency_text": consistency, "instruction_text": instruction}
    return {**texts, "compared": parts, "followed": parts, "alone": alone}
