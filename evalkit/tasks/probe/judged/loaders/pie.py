"""PIE-Bench: one file of edits by number, with the runs of the edited region.

Source: cure-lab/PnPInversion 07f97f4, evaluation/evaluate.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.tasks.probe.judged.items import rows_of

FILE = "mapping_file.json"
KINDS = ("random", "object", "add", "delete", "content", "pose", "color", "material", "background", "style")


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """The edits with their kind as `task`, the text of the edited image as `told`, and the image's name as `stem`."""
    path = folder / FILE
    try:
        for row in rows_of(path):
            told = str(row["editing_prompt"]).replace("[", "").replace("]", "")
            kind = KINDS[int(row["editing_type_id"])]
            named = {"idx": row["key"], "task": kind, "told": told, "instruction": row["editing_instruction"]}
            image = str(row["image_path"])
            stem = str(PurePosixPath(image).with_suffix(""))
            yield {**named, "image_path": image, "stem": stem, "mask": [int(each) for each in row["mask"]]}
    except DAMAGED as error:
        raise EvalkitError(f"{path} lacks {error}. Give the official file") from None
