"""CVTG-2K: prompts by the number of their texts, with the quoted words that an image must show.

Source: the script unified_metrics_eval.py that CVTG-2K is scored with, extract_words_from_prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain

PARTS, AREAS = ("CVTG", "CVTG-Style"), (2, 3, 4, 5)


def items(folder: Path) -> Iterator[dict[str, Any]]:
    """The prompts of the files that are there, with the words that are `wanted` and their `count`."""
    found = [
        (part, area, path) for part in PARTS for area in AREAS if (path := folder / part / f"{area}.json").is_file()
    ]
    if not found:
        raise EvalkitError(f"{folder} holds no CVTG/2.json. Give the folder of CVTG-2K: --data DIR")
    for part, area, path in found:
        try:
            for row in parse_json(read_plain(path), path.name)["data_list"]:
                wanted = [word for text in re.findall(r"'(.*?)'", row["prompt"]) for word in text.split()]
                known = {"part": part, "area": area, "index": row["index"], "prompt": row["prompt"]}
                if wanted:
                    yield {**known, "wanted": wanted, "count": len(wanted)}
        except DAMAGED as error:
            raise EvalkitError(f"{path} lacks {error}. Give the official file") from None
