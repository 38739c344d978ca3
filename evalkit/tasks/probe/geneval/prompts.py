"""GenEval's 553 prompts with what each demands, and files of the same form.

The shipped file is prompts/evaluation_metadata.jsonl of djghosh13/geneval (commit af4902f, MIT).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from evalkit.encoders.detectors.coco import COCO_CLASSES
from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.runs.plain import read_plain

SHA256 = "5c48e0813e812e3c373fa5c8ed07a8f0a483be30272b4427b0559c8048e67c13"
TASKS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
SAMPLES = 4  # images of a prompt

# classes are matched by their number; three have other names than in COCO
RENAMED = {"mouse": "computer mouse", "remote": "tv remote", "keyboard": "computer keyboard"}
CLASSES = tuple(RENAMED.get(name, name) for name in COCO_CLASSES)


@dataclass(frozen=True)
class Clause:
    """At least `count` of the class `name` (in an exclude clause: fewer), with a `color`, or with a `relation` to the
    instances of the include clause number `target`.
    """

    name: str
    count: int
    color: str | None = None
    relation: str | None = None
    target: int = 0


@dataclass(frozen=True)
class GenevalPrompt:
    """One line of the metadata: its `id` is its number in the file, five digits; `metadata` is the line itself."""

    id: str
    tag: str
    prompt: str
    include: tuple[Clause, ...]
    exclude: tuple[Clause, ...]
    metadata: Mapping[str, Any]


@cache
def geneval_prompts() -> tuple[GenevalPrompt, ...]:
    """The official prompts in their order.

    >>> len(geneval_prompts()), geneval_prompts()[353].prompt
    (553, 'a photo of a dog right of a teddy bear')
    """
    data = (package_files("evalkit.tasks.probe.geneval") / "data" / "evaluation_metadata.jsonl").read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise EvalkitError("the prompts of GenEval in this installation were changed. Install evalkit again")
    return tuple(_parsed(data.splitlines(), "evaluation_metadata.jsonl"))


def read_prompts(path: Path) -> tuple[GenevalPrompt, ...]:
    """The prompts of a file in the form of evaluation_metadata.jsonl, such as one with rewritten texts.

    Raises `EvalkitError` with the number of the line that is not of this form.
    """
    try:
        lines = read_plain(path).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise EvalkitError(f"{path} cannot be read: {error.strerror}. Give a file of prompts") from None
    found = tuple(_parsed(lines, path.name))
    if not found:
        raise EvalkitError(f"{path} holds no prompt. Give a file in the form of evaluation_metadata.jsonl")
    return found


def prompt_of(row: Any, id: str) -> GenevalPrompt:
    """The prompt that a line's JSON object states. Raises `EvalkitError` for anything else."""
    try:
        include = tuple(_clause(each) for each in row["include"])
        exclude = tuple(_clause(each) for each in row.get("exclude", []))
        tag, prompt = str(row["tag"]), str(row["prompt"])
    except DAMAGED as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise EvalkitError(f"this is no prompt of GenEval's form ({said}). Give tag, include and prompt") from None
    for place, clause in enumerate(include):
        if clause.relation is not None and not 0 <= clause.target < place:
            raise EvalkitError(f"include {place} stands in a relation to include {clause.target}. Name an earlier one")
    return GenevalPrompt(id, tag, prompt, include, exclude, dict(row))


def _parsed(lines: Iterable[bytes], name: str) -> Iterable[GenevalPrompt]:
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    for place, (number, line) in enumerate(numbered):
        try:
            yield prompt_of(parse_json(line, "the line"), f"{place:05d}")
        except (ValueError, RecursionError):
            raise EvalkitError(f"{name}, line {number} is no JSON. Write one object on each line") from None
        except EvalkitError as error:
            raise EvalkitError(f"{name}, line {number}: {error}") from None


def _clause(row: Any) -> Clause:
    count = row["count"]
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ValueError(f"a count is {count!r}")
    relation, target = row.get("position", (None, 0))
    if relation is not None and not (isinstance(relation, str) and isinstance(target, int)):
        raise ValueError(f"a position is {row['position']!r}")
    return Clause(str(row["class"]), count, row.get("color"), relation, target)
