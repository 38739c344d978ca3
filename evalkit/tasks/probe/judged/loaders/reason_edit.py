"""Reason-Edit (SmartEdit, arXiv:2312.06739): folders of images with masks, and one text file with a line for each.

The n-th line, "instruction CLIP: text", is of the n-th image by name, whose mask is its name with _mask.jpg.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError

FOLDERS = {
    "1-Left-Right": "understanding",
    "2-Relative-Size": "understanding",
    "3-Mirror": "understanding",
    "4-Color": "understanding",
    "5-Multiple-Objects": "understanding",
    "6-Reasoning": "reasoning",
}


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """An item for each image of the folders that are there."""
    found = [name for name in FOLDERS if (folder / name).is_dir()]
    if not found:
        raise EvalkitError(f"{folder} holds no 1-Left-Right. Give the folder of Reason-Edit's data: --data DIR")
    for name in found:
        images, texts = sorted((folder / name).glob("*.png")), sorted((folder / name).glob("*.txt"))
        lines = [line for line in texts[0].read_text(encoding="utf-8").splitlines() if line.strip()] if texts else []
        if len(lines) < len(images):
            raise EvalkitError(
                f"{folder / name} has {len(images)} images and {len(lines)} lines. Give the official files"
            )
        for image, line in zip(images, lines, strict=False):
            told, _, text = line.partition("CLIP: ")
            yield {
                "folder": name,
                "stem": image.stem,
                "split": FOLDERS[name],
                "instruction": told.strip(),
                "text": text,
            }
