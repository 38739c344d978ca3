"""What is to be drawn: files of prompts, classes, named suites."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.prompts.files import SUFFIXES, read_prompt_file
from evalkit.prompts.prompt import Prompt, PromptSet
from evalkit.registry import Registry, Table

__all__ = ["SUITES", "Prompt", "PromptSet", "load_prompts", "register"]

CLASSES = {"imagenet": 1000}
KINDS = (
    "a .jsonl, .json, .csv or .tsv file with prompt or class_id, a .txt file (a prompt per line), classes:imagenet, "
    "text:PROMPT"
)


Suite = Callable[[], PromptSet]
TABLE = Table(
    {
        "geneval": "evalkit.tasks.probe.geneval.prompt_suite",
        "world": "evalkit.world.suite",
        "world2": "evalkit.world.suite",
    }
)
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
    if path.suffix.lower() in SUFFIXES:
        from evalkit.weights.object_stores import local  # looks for proxies, which suites and classes do without

        path = local(text)
        return _checked(path.stem, read_prompt_file(path), text)
    if text in SUITES:
        return SUITES.get(text)()
    known = ", ".join(SUITES)
    state = "is no prompt file" if os.path.exists(path) else "is not there"
    raise EvalkitError(f"{text[:80]!r} {state}; give {KINDS}{', or a suite: ' + known if known else ''}")


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


def _checked(name: str, prompts: list[Prompt], spec: str) -> PromptSet:
    if not prompts:
        raise EvalkitError(f"{spec!r} holds no prompt; give {KINDS}")
    seen: set[str] = set()
    for each in prompts:
        if not f"{each.id}{each.prompt}".isascii() and any(
            "\ud800" <= c <= "\udfff" for c in f"{each.id}{each.prompt}"
        ):
            raise EvalkitError(f"{spec!r} holds bytes that are not UTF-8; save or type the prompt as UTF-8")
        if each.id in seen:
            raise EvalkitError(f"{spec!r} gives the id {each.id!r} twice; ids must differ")
        seen.add(each.id)
    return PromptSet(name, tuple(prompts))
