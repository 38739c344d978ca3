"""What is to be drawn: files of prompts, classes, named suites."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json
from evalkit.registry import Registry, Table

CLASSES = {"imagenet": 1000}
KINDS = "a .jsonl file (lines with prompt or class_id), a .txt file (a prompt a line), classes:imagenet, text:PROMPT"


@dataclass(frozen=True)
class Prompt:
    """One thing to draw; `seed` where the file gives one, `meta` whatever else its line holds."""

    id: str
    prompt: str | None = None
    class_id: int | None = None
    seed: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PromptSet:
    """An ordered list of prompts with unique ids."""

    name: str
    prompts: tuple[Prompt, ...]

    @property
    def digest(self) -> str:
        """sha256 over all that decides the images and their scores."""
        digest = hashlib.sha256()
        for p in self.prompts:
            digest.update(canonical_json([p.id, p.prompt, p.class_id, p.seed, dict(p.meta)]))
        return digest.hexdigest()


Suite = Callable[[], PromptSet]
TABLE = Table({"world": "evalkit.world.suite"})
SUITES: Registry[Suite] = Registry("prompt suite", entry_point_group="evalkit.prompts", table=TABLE)


def register(name: str) -> Callable[[Suite], Suite]:
    """Decorator: the suite `name` is what the function gives. Other packages have an entry point of that name in the
    group `evalkit.prompts`, which names the function's module.
    """

    def add(suite: Suite) -> Suite:
        SUITES.add(name, suite)
        return suite

    return add


def load_prompts(spec: str | Path) -> PromptSet:
    """The prompts that `spec` names: a file, `classes:imagenet`, `text:a red apple`, or a suite.

    >>> load_prompts("text:a red apple").prompts[0].prompt
    'a red apple'
    """
    text = str(spec)
    if text.startswith("text:"):
        return _checked("text", [Prompt("0", text.removeprefix("text:").strip())], text)
    if text.startswith("classes:"):
        return _classes(text)
    path = Path(text).expanduser()
    if path.suffix in (".jsonl", ".txt"):
        return _file(path)
    if text in SUITES:
        return SUITES.get(text)()
    known = ", ".join(SUITES)
    state = "is no prompt file" if path.exists() else "is not there"
    raise EvalkitError(f"{text!r} {state}; give {KINDS}{', or a suite: ' + known if known else ''}")


def _classes(text: str) -> PromptSet:
    name, _, chosen = text.removeprefix("classes:").partition(":")
    if name not in CLASSES:
        raise EvalkitError(f"{text!r} names no known set of classes; give classes:imagenet or classes:imagenet:0-9,207")
    ids = _ranges(chosen, CLASSES[name], text) if chosen else list(range(CLASSES[name]))
    return _checked(f"{name}-classes", [Prompt(f"class{i:04d}", class_id=i) for i in ids], text)


def _ranges(chosen: str, count: int, text: str) -> list[int]:
    try:
        found: list[int] = []
        for part in chosen.split(","):
            first, _, last = part.partition("-")
            found += range(int(first), int(last or first) + 1)
    except ValueError:
        raise EvalkitError(f"{text!r}: the classes are not numbers; give them as classes:imagenet:0-9,207") from None
    if not found or min(found) < 0 or max(found) >= count:
        raise EvalkitError(f"{text!r}: class ids go from 0 to {count - 1}")
    return list(dict.fromkeys(found))


def _file(path: Path) -> PromptSet:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise EvalkitError(f"{path} cannot be read ({error.strerror}); give {KINDS}") from None
    except UnicodeDecodeError:
        raise EvalkitError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    numbered = [(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip()]
    if path.suffix == ".txt":
        found = [Prompt(f"{i:05d}", line) for i, (_, line) in enumerate(numbered)]
    else:
        found = [_line(path, n, i, line) for i, (n, line) in enumerate(numbered)]
    return _checked(path.stem, found, str(path))


def _line(path: Path, number: int, index: int, line: str) -> Prompt:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise EvalkitError(f"{path}, line {number} is no JSON: {error}") from None
    if not isinstance(row, dict) or not ("prompt" in row or "class_id" in row):
        raise EvalkitError(f"{path}, line {number}: expected an object with prompt or class_id")
    prompt, class_id, seed = row.pop("prompt", None), row.pop("class_id", None), row.pop("seed", None)
    if not isinstance(prompt, str | None) or not isinstance(class_id, int | None) or not isinstance(seed, int | None):
        raise EvalkitError(f"{path}, line {number}: prompt is text; class_id and seed are whole numbers")
    return Prompt(str(row.pop("id", f"{index:05d}")), prompt, class_id, seed, row)


def _checked(name: str, prompts: list[Prompt], spec: str) -> PromptSet:
    if not prompts:
        raise EvalkitError(f"{spec!r} holds no prompt; give {KINDS}")
    seen: set[str] = set()
    for each in prompts:
        if each.id in seen:
            raise EvalkitError(f"{spec!r} gives the id {each.id!r} twice; ids must differ")
        seen.add(each.id)
    return PromptSet(name, tuple(prompts))
