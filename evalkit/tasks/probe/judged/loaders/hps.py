"""HPSv2's benchmark: a list of prompts for each style.

Source: tgxs002/HPSv2 866735e, hpsv2/evaluation.py, BenchmarkDataset.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain

STYLES = ("anime", "concept-art", "paintings", "photo")


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """The prompts of all styles that are there, by their place from 0."""
    found = [path for style in STYLES if (path := folder / "benchmark" / f"{style}.json").is_file()]
    if not found:
        raise EvalkitError(f"{folder} holds no benchmark/anime.json. Give the folder of HPDv2: --data DIR")
    for path in found:
        try:
            texts = [str(text) for text in parse_json(read_plain(path), path.name)]
        except DAMAGED:
            raise EvalkitError(f"{path} is no list of prompts. Give the official file") from None
        yield from ({"style": path.stem, "index": index, "text": text} for index, text in enumerate(texts))
